"""Times, ages and states in words that people read."""

from datetime import UTC, datetime

from resource_server.domain.states import ModelState

_MINUTE_S = 60
_HOUR_S = 60 * _MINUTE_S
_DAY_S = 24 * _HOUR_S
_UNITS = ((_DAY_S, "day"), (_HOUR_S, "hour"), (_MINUTE_S, "minute"))

MEANINGS = {
    ModelState.HOT: "answers now",
    ModelState.STARTING: "is being loaded",
    ModelState.QUEUED: "its job waits for nodes",
    ModelState.COLD: "starts with the first request",
    ModelState.OFFLINE: "cannot be reached",
    ModelState.MAINTENANCE: "its cluster is out of service",
}


def describe_duration(seconds: float) -> str:
    """In the largest unit that fits once: ``40 seconds``, ``2 days``; rounded, never below one second."""
    for unit_s, name in _UNITS:
        if round(seconds) >= unit_s:
            return _count(round(seconds / unit_s), name)
    return _count(max(round(seconds), 1), "second")


def describe_age(as_of: float | None, now: float) -> str:
    """How long ago something was learned; both POSIX seconds. Empty for `None`."""
    return "" if as_of is None else f"{describe_duration(now - as_of)} ago"


def describe_eta(state: ModelState, eta_s: float | None) -> str:
    """When a model in `state` serves; a cold one counts from the request that starts it."""
    if state is ModelState.HOT:
        return "now"
    if state in {ModelState.OFFLINE, ModelState.MAINTENANCE}:
        return "not at the moment"
    if eta_s is None:
        return "not known"
    wait = f"about {describe_duration(eta_s)}"
    return f"{wait} after a request" if state is ModelState.COLD else f"in {wait}"


def describe_time(text: str | None) -> str:
    """An ISO time as people read it: ``26 November 2026, 14:05 UTC``; empty for `None`."""
    if text is None:
        return ""
    at = datetime.fromisoformat(text).astimezone(UTC)
    return f"{at.day} {at:%B %Y, %H:%M} UTC"


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
