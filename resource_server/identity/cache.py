"""What is remembered in this process: bounded maps of answers, each with the moment it stops to be true."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

V = TypeVar("V")
A = TypeVar("A")


class BoundedCache(Generic[V]):
    """A map that forgets what was used longest ago."""

    def __init__(self, max_entries: int) -> None:
        self._entries: OrderedDict[str, V] = OrderedDict()
        self._max_entries = max_entries

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str) -> V | None:
        """The value, or `None`."""
        value = self._entries.get(key)
        if value is not None:
            self._entries.move_to_end(key)
        return value

    def put(self, key: str, value: V) -> None:
        """Remember `value`."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)

    def discard(self, key: str) -> None:
        """Forget the key, if it is there."""
        self._entries.pop(key, None)


@dataclass(slots=True)
class Answer(Generic[A]):
    """An answer of Globus. Times are monotonic seconds, counted from the moment Globus was asked.

    Attributes:
        value: what Globus said.
        fresh_until: until then the answer is used without asking.
        usable_until: until then it is used where Globus cannot be asked.
    """

    value: A
    fresh_until: float
    usable_until: float

    def is_fresh(self, now: float) -> bool:
        """Whether the answer may be used without asking."""
        return now < self.fresh_until

    def is_usable(self, now: float) -> bool:
        """Whether the answer may be used while Globus cannot be asked."""
        return now < self.usable_until

    def prolong(self, until: float) -> None:
        """Use a last known good answer up to `until` without asking again, never beyond its end."""
        self.fresh_until = min(until, self.usable_until)
