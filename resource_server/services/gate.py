"""The way into one target: as many at a time as it takes, the others in a bounded queue that is fair to users."""

import asyncio
from collections.abc import Callable

from resource_server.domain.fair_queue import FairQueue

USERS = 8
"""So many users can fill their lines before the queue is full."""
LEAST_LINE = 64
LONGEST_LINE = 1024


class GateFull(Exception):
    """The queue, or this user's line in it, is full."""


class Gate:
    """Places at one target, in this process. Nobody enters while it is closed, as before a model that is not hot.

    Whoever entered calls `leave` once.

    Args:
        capacity: how many may be inside; it may change.

    Attributes:
        inside: how many are.
        is_open: whether those in the queue may enter.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.inside = 0
        self.is_open = True
        line = min(max(2 * capacity, LEAST_LINE), LONGEST_LINE)
        self._queue: FairQueue[asyncio.Future[None]] = FairQueue(USERS * line, line)

    @property
    def waiting(self) -> int:
        """How many queue."""
        return len(self._queue)

    def try_enter(self) -> bool:
        """Enter if there is room and nobody queues for it."""
        if not self.is_open or self.inside >= self.capacity or self._queue:
            return False
        self.inside += 1
        return True

    def join(self, user: str) -> "Waiter":
        """Queue for a place. Raises `GateFull`. Whoever joins waits until the turn has come, or abandons."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        ticket = self._queue.push(user, turn)
        if ticket is None:
            raise GateFull
        self._admit()
        return Waiter(self, ticket, turn)

    def position(self, ticket: int) -> int:
        """See `FairQueue.position`."""
        return self._queue.position(ticket)

    def abandon(self, ticket: int, turn: asyncio.Future[None]) -> None:
        """Give up a place in the queue, or the one inside that came meanwhile."""
        if not self._queue.remove(ticket) and _is_granted(turn):
            self.leave()
        turn.cancel()

    def leave(self) -> None:
        """Give the place to the next in the queue."""
        self.inside -= 1
        self._admit()

    def open(self) -> None:
        """Let those in who fit."""
        self.is_open = True
        self._admit()

    def close(self) -> None:
        """Let nobody in until `open`; those inside stay."""
        self.is_open = False

    def turn_away(self, build_error: Callable[[], Exception]) -> None:
        """Let all who queue fail, each with an error of its own."""
        while (turn := self._queue.pop()) is not None:
            if not turn.item.done():
                turn.item.set_exception(build_error())

    def _admit(self) -> None:
        while self.is_open and self.inside < self.capacity and (turn := self._queue.pop()) is not None:
            if not turn.item.done():
                self.inside += 1
                turn.item.set_result(None)


class Waiter:
    """One place in a gate's queue."""

    def __init__(self, gate: Gate, ticket: int, turn: asyncio.Future[None]) -> None:
        self._gate = gate
        self._ticket = ticket
        self._turn = turn

    @property
    def position(self) -> int:
        """1 for whoever is next; 0 once it is out of the queue."""
        return self._gate.position(self._ticket)

    async def has_come(self, wait_s: float) -> bool:
        """Whether the turn comes, `wait_s` seconds from now at the latest: then the place inside is the caller's.

        Raises:
            Exception: what `Gate.turn_away` made.
        """
        try:
            await asyncio.wait({self._turn}, timeout=wait_s)
        except asyncio.CancelledError:
            self.abandon()
            raise
        if not self._turn.done():
            return False
        self._turn.result()
        return True

    def abandon(self) -> None:
        """Leave the queue, or the place that it led to meanwhile. Not once the caller knows that the turn has come."""
        self._gate.abandon(self._ticket, self._turn)


def _is_granted(turn: asyncio.Future[None]) -> bool:
    return turn.done() and not turn.cancelled() and turn.exception() is None
