"""One run of each kind, and what it measured."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from benchmarks.routing.assumptions import Assumptions
from benchmarks.routing.fleet import Fleet
from benchmarks.routing.policies import Maker
from benchmarks.routing.traffic import Ask, Questions, converse
from benchmarks.statistics import quantile

WARM_UP = 0.25
"""The share of a run that is not measured: caches fill, queues find their length."""


_DRAIN_S = 1000.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run measured, after its warm-up."""

    requests: int
    output_tokens_per_s: float
    ttft_mean_s: float
    ttft_p50_s: float
    ttft_p99_s: float
    hit_share: float
    broken_share: float
    waits_s: tuple[float, ...]
    """Until each first token, ascending."""


def run_burst(assumed: Assumptions, maker: Maker, *, replicas: int, seed: int) -> Outcome:
    """Shared prefixes, open loop: a warm-up, then more than the fleet can do, until all is answered."""
    fleet = Fleet(assumed, maker, [("c", None)] * replicas, seed)
    chance = random.Random(seed + 1)
    questions = Questions(assumed, chance, round(assumed.prefix_groups_per_replica * replicas))
    _arrive(fleet, chance, assumed.warm_up_rate_per_replica * replicas, assumed.warm_up_s, questions.ask)
    fleet.clock.run(assumed.warm_up_s + _DRAIN_S)
    warm_up = len(fleet.asks)
    begin_s = fleet.clock.now_s
    _arrive(fleet, chance, assumed.burst_rate_per_replica * replicas, assumed.burst_s, questions.ask)
    fleet.clock.run(begin_s + assumed.burst_s + _DRAIN_S)
    asks = fleet.asks[warm_up:]
    return _summarise(asks, max(ask.done_at or fleet.clock.now_s for ask in asks) - begin_s, fleet.clock.now_s)


def run_saturated(assumed: Assumptions, maker: Maker, *, replicas: int, seconds: float, seed: int) -> Outcome:
    """Shared prefixes, closed loop: each client asks anew once it is answered, so that no replica is ever idle."""
    fleet = Fleet(assumed, maker, [("c", None)] * replicas, seed)
    chance = random.Random(seed + 1)
    questions = Questions(assumed, chance, round(assumed.prefix_groups_per_replica * replicas))

    def ask_again(_: Ask) -> None:
        fleet.send(questions.ask(), ask_again)

    for _ in range(int(assumed.saturating_clients_per_replica) * replicas):
        fleet.clock.after(chance.uniform(0, 20), lambda: fleet.send(questions.ask(), ask_again))
    return _steady(fleet, seconds)


def _arrive(fleet: Fleet, chance: random.Random, rate: float, seconds: float, ask: Callable[[], Ask]) -> None:
    """Poisson arrivals from now on."""
    end_s = fleet.clock.now_s + seconds

    def arrive() -> None:
        if fleet.clock.now_s < end_s:
            fleet.send(ask(), lambda _: None)
            fleet.clock.after(chance.expovariate(rate), arrive)

    fleet.clock.after(chance.expovariate(rate), arrive)


def run_conversations(assumed: Assumptions, maker: Maker, *, replicas: int, seconds: float, seed: int) -> Outcome:
    """Conversations that pause between turns, one after the other for each client."""
    fleet = Fleet(assumed, maker, [("c", None)] * replicas, seed)
    chance = random.Random(seed + 1)
    numbers = iter(range(1, 1 << 40))

    def turns() -> Iterator[Ask]:
        while True:
            yield from converse(assumed, chance, next(numbers))

    def take_turn(client: Iterator[Ask]) -> None:
        fleet.send(next(client), lambda _: pause(client))

    def pause(client: Iterator[Ask]) -> None:
        fleet.clock.after(chance.expovariate(1 / assumed.conversation_pause_s), lambda: take_turn(client))

    for _ in range(int(assumed.conversations_per_replica) * replicas):
        pause(turns())
    return _steady(fleet, seconds)


def run_federation(assumed: Assumptions, maker: Maker, *, seconds: float, seed: int) -> Outcome:
    """Four clusters of two replicas, open loop; jobs end and are queued anew, and a cluster fails halfway through."""
    chance = random.Random(seed + 1)
    jobs = [(f"c{number // 2}", chance.uniform(0.2, 1) * assumed.walltime_s) for number in range(8)]
    fleet = Fleet(assumed, maker, jobs, seed)
    questions = Questions(assumed, chance, round(assumed.prefix_groups_per_replica * len(jobs)))
    _arrive(fleet, chance, assumed.federation_rate_per_replica * len(jobs), seconds, questions.ask)
    fleet.clock.after(seconds * (1 + WARM_UP) / 2, lambda: fleet.fail_cluster("c0", 300))
    return _steady(fleet, seconds)


def _steady(fleet: Fleet, seconds: float) -> Outcome:
    """What came after the warm-up."""
    fleet.clock.run(seconds)
    begin_s = seconds * WARM_UP
    return _summarise([ask for ask in fleet.asks if ask.asked_at >= begin_s], seconds - begin_s, seconds)


def _summarise(asks: Sequence[Ask], took_s: float, now_s: float) -> Outcome:
    # Who still waits at the end has waited so long at least: the slower policies look better than they are.
    waits = sorted((now_s if ask.first_token_at is None else ask.first_token_at) - ask.asked_at for ask in asks)
    began = [ask for ask in asks if ask.first_token_at is not None]
    return Outcome(
        requests=len(asks),
        output_tokens_per_s=sum(ask.output_tokens for ask in asks if ask.done_at is not None) / took_s,
        ttft_mean_s=fmean(waits),
        ttft_p50_s=quantile(waits, 0.5),
        ttft_p99_s=quantile(waits, 0.99),
        hit_share=sum(ask.hit_tokens for ask in began) / max(sum(ask.prompt_tokens for ask in began), 1),
        broken_share=sum(ask.broken for ask in asks) / len(asks),
        waits_s=tuple(waits),
    )
