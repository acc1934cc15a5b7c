"""The gateway before its targets: sends each request to the first candidate, and holds what nobody can take."""

import random
from collections import deque
from collections.abc import Callable, Sequence

from benchmarks.routing.assumptions import Assumptions
from benchmarks.routing.clock import Clock
from benchmarks.routing.policies import Maker
from benchmarks.routing.target import FleetTarget, Job
from benchmarks.routing.traffic import Ask
from resource_server.domain.states import ModelState


class Fleet:
    """One gateway and its targets in simulated time."""

    def __init__(self, assumed: Assumptions, maker: Maker, jobs: Sequence[tuple[str, float | None]], seed: int) -> None:
        """`jobs` are (cluster, seconds until it ends or `None`), one target each."""
        self.assumed = assumed
        self.clock = Clock()
        self.chance = random.Random(seed)
        self.targets = [
            FleetTarget(number, cluster, int(assumed.capacity), Job(assumed, self.clock, self.chance, ends_in_s))
            for number, (cluster, ends_in_s) in enumerate(jobs)
        ]
        self._choose = maker(self.targets, random.Random(seed), assumed.expected_s)
        self._held: deque[tuple[Ask, Callable[[Ask], None]]] = deque()
        self.asks: list[Ask] = []
        if any(ends_in_s is not None for _, ends_in_s in jobs):
            self._poll()

    def send(self, ask: Ask, done: Callable[[Ask], None]) -> None:
        """A request arrives; `done` when it has ended, whole or broken."""
        ask.asked_at = self.clock.now_s
        self.asks.append(ask)
        self._route(ask, done)

    def fail_cluster(self, cluster: str, outage_s: float) -> None:
        """Everything on the cluster ends at once."""
        for target in self.targets:
            if target.cluster == cluster:
                target.job.fail(outage_s)

    def _route(self, ask: Ask, done: Callable[[Ask], None]) -> None:
        target = next(iter(self._choose(ask)), None)
        if target is None or target.standing.state is not ModelState.HOT:
            self._held.append((ask, done))
            return
        ask.attempts += 1
        target.in_flight += 1
        if target.job.state is ModelState.HOT:
            self._begin(target, ask, done)
            return
        self.clock.after(self.assumed.failure_detect_s, lambda: self._refused(target, ask, done))

    def _begin(self, target: FleetTarget, ask: Ask, done: Callable[[Ask], None]) -> None:
        began_at = self.clock.now_s

        def ended(ask: Ask) -> None:
            if ask.broken and ask.first_token_at is None:  # nothing has reached the client: another target may serve
                ask.broken = False
                self._refused(target, ask, done)
                return
            target.in_flight -= 1
            target.note_first_token(ask, began_at)
            done(ask)

        target.job.replica.submit(ask, ended)

    def _refused(self, target: FleetTarget, ask: Ask, done: Callable[[Ask], None]) -> None:
        target.in_flight -= 1
        target.note_failure()
        self._route(ask, done)

    def _poll(self) -> None:
        for target in self.targets:
            target.poll()
        for _ in range(len(self._held)):
            self._route(*self._held.popleft())
        self.clock.after(self.assumed.status_poll_s, self._poll)
