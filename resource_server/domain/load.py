"""How busy a target is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """What one target does at the moment, as the gateway counts it.

    Attributes:
        in_flight: requests at the target now, those that wait in front of it included.
        capacity: how many it takes at once; at least 1.
        latency_s: seconds until its recent answers began; `None` where there were none.
    """

    in_flight: int
    capacity: int
    latency_s: float | None = None

    @property
    def cost(self) -> float:
        """What one more request would find: the share of the capacity that is taken with it."""
        return (self.in_flight + 1) / self.capacity
