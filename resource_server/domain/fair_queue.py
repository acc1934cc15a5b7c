"""A bounded queue that takes turns between users: whoever asks a hundred times as often gets no more than the others.

Deficit round robin (Shreedhar and Varghese, 1996): each user has a line and gets one quantum of work a round, so that
work is shared equally also where items differ in cost. The quantum is the greatest cost, so every operation is O(1).
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(slots=True)
class _Line(Generic[Item]):
    """One user's items by ticket, and what the user may still spend in this round."""

    waiting: OrderedDict[int, tuple[Item, float]] = field(default_factory=OrderedDict)
    credit: float = 0.0


@dataclass(frozen=True, slots=True)
class Turn(Generic[Item]):
    """Whose turn it is, and with what."""

    user: str
    item: Item


class FairQueue(Generic[Item]):
    """Lines of users, served in turn; for one thread.

    Args:
        most: items in all lines together. Several users who fill their lines keep others out if this is less than
            all their lines hold, so it is `most_per_user` times the users that are expected.
        most_per_user: items in one line.
        quantum: the greatest cost of an item; what costs more counts as this.
    """

    def __init__(self, most: int, most_per_user: int, quantum: float = 1.0) -> None:
        self._most = most
        self._most_per_user = most_per_user
        self._quantum = quantum
        self._lines: OrderedDict[str, _Line[Item]] = OrderedDict()  # the next turn is the first one's
        self._users: dict[int, str] = {}
        self._next_ticket = 0

    def __len__(self) -> int:
        return len(self._users)

    def waiting_of(self, user: str) -> int:
        """How many items of the user wait."""
        line = self._lines.get(user)
        return len(line.waiting) if line is not None else 0

    def position(self, ticket: int) -> int:
        """How many turns until the item's own, 1 for the next, if nobody else comes; 0 where it is out."""
        user = self._users.get(ticket)
        if user is None:
            return 0
        own = next(place for place, waiting in enumerate(self._lines[user].waiting, 1) if waiting == ticket)
        ahead, is_ahead = own, True
        for other, line in self._lines.items():
            if other == user:
                is_ahead = False
            else:
                ahead += min(len(line.waiting), own if is_ahead else own - 1)
        return ahead

    def push(self, user: str, item: Item, cost: float = 1.0) -> int | None:
        """The item's ticket; `None` where the queue or the user's line is full. `cost` is above 0."""
        if len(self._users) >= self._most or self.waiting_of(user) >= self._most_per_user:
            return None
        line = self._lines.get(user)
        if line is None:
            line = self._lines[user] = _Line()
        ticket = self._next_ticket
        self._next_ticket += 1
        line.waiting[ticket] = (item, min(cost, self._quantum))
        self._users[ticket] = user
        return ticket

    def pop(self) -> Turn[Item] | None:
        """Takes out the next item; `None` where nothing waits."""
        if not self._lines:
            return None
        user, line = next(iter(self._lines.items()))
        ticket, (item, cost) = next(iter(line.waiting.items()))
        if line.credit < cost:
            line.credit += self._quantum
        line.credit -= cost
        self.remove(ticket)
        if line.waiting and line.credit < next(iter(line.waiting.values()))[1]:
            self._lines.move_to_end(user)
        return Turn(user, item)

    def remove(self, ticket: int) -> bool:
        """Forget an item whose caller has left; false where it is out already."""
        user = self._users.pop(ticket, None)
        if user is None:
            return False
        line = self._lines[user]
        del line.waiting[ticket]
        if not line.waiting:
            del self._lines[user]
        return True
