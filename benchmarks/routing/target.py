"""A target as the gateway sees it, and the job behind it as it is."""

import random
from collections.abc import Callable

from benchmarks.routing.assumptions import Assumptions
from benchmarks.routing.clock import Clock
from benchmarks.routing.replica import Replica
from benchmarks.routing.traffic import Ask
from resource_server.domain.catalogue import ClusterRow, Place
from resource_server.domain.load import Load
from resource_server.domain.standing import Standing
from resource_server.domain.states import ModelState
from resource_server.domain.targets import SimulatedTarget

_RECENT = 0.2  # what one answer weighs in the latency


class Job:
    """The truth: a job that runs, ends, waits in a queue and starts again. With no end, it always runs."""

    def __init__(self, assumed: Assumptions, clock: Clock, chance: random.Random, ends_in_s: float | None) -> None:
        self._assumed, self._clock, self._chance = assumed, clock, chance
        self._ends_at: float | None = None
        self._serves_at: float | None = None
        self._generation = 0
        self.state = ModelState.HOT
        self.replica = Replica(assumed, clock)
        if ends_in_s is not None:
            self._run(ends_in_s)

    def fail(self, outage_s: float) -> None:
        """The cluster is gone for a while; then its job is submitted anew."""
        self._generation += 1
        self.replica.kill()
        self.state, self._ends_at, self._serves_at = ModelState.OFFLINE, None, None
        self._later(outage_s, self._queue)

    def report(self) -> Standing:
        """What a status function would say now."""
        now_s = self._clock.now_s
        return Standing(
            self.state,
            as_of=now_s,
            eta_s=None if self._serves_at is None else self._serves_at - now_s,
            walltime_left_s=None if self._ends_at is None else self._ends_at - now_s,
        )

    def _run(self, walltime_s: float) -> None:
        self.state, self._serves_at = ModelState.HOT, None
        self.replica = Replica(self._assumed, self._clock)
        self._ends_at = self._clock.now_s + walltime_s
        self._later(walltime_s, self._end)

    def _end(self) -> None:
        self.replica.kill()
        self._queue()

    def _queue(self) -> None:
        wait_s = self._chance.expovariate(1 / self._assumed.queue_wait_s)
        self.state, self._ends_at = ModelState.QUEUED, None
        self._serves_at = self._clock.now_s + wait_s + self._assumed.cold_start_s
        self._later(wait_s, self._start)

    def _start(self) -> None:
        self.state = ModelState.STARTING
        self._later(self._assumed.cold_start_s, lambda: self._run(self._assumed.walltime_s))

    def _later(self, delay_s: float, callback: Callable[[], None]) -> None:
        generation = self._generation

        def unless_failed() -> None:
            if generation == self._generation:
                callback()

        self._clock.after(delay_s, unless_failed)


class FleetTarget:
    """What the gateway knows: a standing as old as the last poll, and its own count of what is in flight."""

    def __init__(self, number: int, cluster: str, capacity: int, job: Job) -> None:
        target = SimulatedTarget(cluster=cluster, framework=f"f{number}", model="m", backend="simulated")
        self.place = Place(target, ClusterRow(cluster), ())
        self.cluster = cluster
        self.capacity = capacity
        self.job = job
        self.standing = job.report()
        self.in_flight = 0
        self.latency_s: float | None = None

    def load(self) -> Load:
        """For the ranking."""
        return Load(self.in_flight, self.capacity, self.latency_s)

    def poll(self) -> None:
        """Ask the status function."""
        self.standing = self.job.report()

    def note_failure(self) -> None:
        """Ejected until the next poll says otherwise."""
        self.standing = Standing(ModelState.OFFLINE)

    def note_first_token(self, ask: Ask, began_at: float) -> None:
        """Learn how soon answers begin."""
        if ask.first_token_at is not None:
            new = ask.first_token_at - began_at
            self.latency_s = new if self.latency_s is None else self.latency_s + _RECENT * (new - self.latency_s)
