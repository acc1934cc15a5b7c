"""One greedy user before a saturated target: the gateway's fair queue against a plain one of the same size."""

import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean
from typing import Protocol

from benchmarks.routing.assumptions import Assumptions
from benchmarks.routing.clock import Clock
from benchmarks.routing.replica import Replica
from benchmarks.routing.traffic import Ask
from resource_server.domain.fair_queue import FairQueue

_PROMPT_TOKENS, _OUTPUT_TOKENS = 600, 100
_PER_USER = 32
_WARM_UP_S = 60.0


class Queue(Protocol):
    """What stands before the target."""

    def push(self, ask: Ask) -> bool:
        """False where there is no room."""
        ...

    def pop(self) -> Ask | None:
        """The next one; `None` where nobody waits."""
        ...


class Fair:
    """`resource_server.domain.fair_queue`, as the gateway uses it."""

    def __init__(self, users: int) -> None:
        self._queue: FairQueue[Ask] = FairQueue(_PER_USER * users, _PER_USER)

    def push(self, ask: Ask) -> bool:
        return self._queue.push(ask.user, ask) is not None

    def pop(self) -> Ask | None:
        turn = self._queue.pop()
        return None if turn is None else turn.item


class Plain:
    """First come, first served."""

    def __init__(self, users: int) -> None:
        self._most = _PER_USER * users
        self._waiting: deque[Ask] = deque()

    def push(self, ask: Ask) -> bool:
        if len(self._waiting) >= self._most:
            return False
        self._waiting.append(ask)
        return True

    def pop(self) -> Ask | None:
        return self._waiting.popleft() if self._waiting else None


@dataclass(frozen=True, slots=True)
class Fairness:
    """Shares of the users, and how long those wait who ask for little.

    Attributes:
        jain: of the answers per user; 1 where all got the same, 1/n where one got all.
        wait_mean_s: until the first token, of all but the greedy one.
    """

    jain: float
    wait_mean_s: float
    served: dict[str, int]


def jain(values: list[float]) -> float:
    """Jain's index: the squared sum over n times the sum of squares."""
    squares = sum(value * value for value in values)
    return sum(values) ** 2 / (len(values) * squares) if squares else 0.0


def run_fairness(assumed: Assumptions, make: Callable[[int], Queue], *, seconds: float, seed: int) -> Fairness:
    """All offer `fair_load` times a fair share of one target, one of them `fair_greed` times that."""
    users = int(assumed.fair_users)
    rate = assumed.fair_load * measure_rate(assumed) / users
    door = _Door(assumed, make(users))
    chance = random.Random(seed)
    door.arrive("greedy", rate * assumed.fair_greed, chance)
    for number in range(users - 1):
        door.arrive(f"user {number}", rate, chance)
    door.clock.run(_WARM_UP_S)  # until then the greedy one has the idle target to itself
    door.served.clear()
    door.waits_s.clear()
    door.clock.run(_WARM_UP_S + seconds)
    served = {user: door.served[user] for user in ("greedy", *(f"user {number}" for number in range(users - 1)))}
    return Fairness(jain([float(count) for count in served.values()]), fmean(door.waits_s), served)


def measure_rate(assumed: Assumptions, seconds: float = 120) -> float:
    """Requests a second that one target serves when it is never idle."""
    door = _Door(assumed, Plain(1000))
    door.arrive("all", 500, random.Random(0))
    door.clock.run(seconds)
    return door.served["all"] / seconds


class _Door:
    """Lets requests in one by one, as many at once as the target takes."""

    def __init__(self, assumed: Assumptions, queue: Queue) -> None:
        self.clock = Clock()
        self.served: Counter[str] = Counter()
        self.waits_s: list[float] = []
        self._room = int(assumed.capacity)
        self._replica = Replica(assumed, self.clock)
        self._queue = queue

    def arrive(self, user: str, rate: float, chance: random.Random) -> None:
        """Requests of the user, Poisson, for ever."""

        def one() -> None:
            ask = Ask(user, {}, _PROMPT_TOKENS, _OUTPUT_TOKENS, [], asked_at=self.clock.now_s)
            if self._queue.push(ask):
                self._let_in()
            self.clock.after(chance.expovariate(rate), one)

        self.clock.after(chance.expovariate(rate), one)

    def _let_in(self) -> None:
        while self._room and (ask := self._queue.pop()) is not None:
            self._room -= 1
            self._replica.submit(ask, self._done)

    def _done(self, ask: Ask) -> None:
        self._room += 1
        self.served[ask.user] += 1
        if ask.user != "greedy" and ask.first_token_at is not None:
            self.waits_s.append(ask.first_token_at - ask.asked_at)
        self._let_in()
