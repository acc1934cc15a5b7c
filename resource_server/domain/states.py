"""The one vocabulary of model states (wire contract 5)."""

from enum import StrEnum


class ModelState(StrEnum):
    """Where a model stands on a target."""

    HOT = "hot"
    STARTING = "starting"
    QUEUED = "queued"
    COLD = "cold"
    OFFLINE = "offline"
    MAINTENANCE = "maintenance"
