"""Which values of a label have a series of their own: the busiest, agreed upon by all workers; the rest share one."""

from collections.abc import Mapping

OTHER = "other"
LIMIT = 20
LOYALTY = 2.0
"""A value that has a series keeps it until another one is this many times as busy: each change breaks two curves."""


class Busiest:
    """One label's, in this process. The first come get a series; once there are too many, `elect` decides.

    Args:
        name: tells it from others.

    Attributes:
        counts: how often each value was noted since the process started.
        chosen: those with a series of their own.
    """

    def __init__(self, name: str, limit: int = LIMIT) -> None:
        self.name = name
        self.limit = limit
        self.counts: dict[str, int] = {}
        self.chosen: set[str] = set()

    def note(self, value: str) -> None:
        """The value was busy once more."""
        self.counts[value] = self.counts.get(value, 0) + 1

    def label(self, value: str) -> str:
        """What to call the value in a series."""
        if value in self.chosen:
            return value
        if len(self.chosen) < self.limit:
            self.chosen.add(value)
            return value
        return OTHER


def elect(now: Mapping[str, int], before: Mapping[str, int], chosen: set[str], limit: int = LIMIT) -> set[str]:
    """The values that were the busiest between two counts; `chosen` have an advantage over newcomers."""

    def activity(value: str) -> tuple[float, str]:
        count = now[value] - before.get(value, 0)
        return -(LOYALTY * count if value in chosen else count), value

    return set(sorted(now, key=activity)[:limit])
