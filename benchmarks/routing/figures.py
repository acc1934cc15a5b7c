"""Every run of the simulator, the tables that it prints, and the bounds that it is held against."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean

from benchmarks.figures import Verdict
from benchmarks.report import format_table
from benchmarks.routing.assumptions import Assumptions, list_sweep
from benchmarks.routing.fairness import Fair, Fairness, Plain, run_fairness
from benchmarks.routing.policies import POLICIES, ROUND_ROBIN, SHIPPED, Maker
from benchmarks.routing.runs import Outcome, run_burst, run_conversations, run_federation, run_saturated

SEEDS = tuple(range(101, 107))
"""None of those on which the ranking was tuned, 1 to 12."""
REPLICAS = 8
SHARED, ROOMY, TALK = "shared prefixes", "the same, twice the cache", "conversations"
_COLUMNS = ("", "output tokens/s", "TTFT mean", "TTFT p50", "TTFT p99", "from the cache", "broken off")

Outcomes = Mapping[str, Outcome]


@dataclass(frozen=True, slots=True)
class Results:
    """All of one command's runs.

    Attributes:
        efficiency: output of four replicas as a share of four times one's, by what they serve; as many clients on each.
        queues: by the kind of queue.
    """

    burst: Outcomes
    conversations: Outcomes
    federation: Outcomes
    efficiency: Mapping[str, float]
    queues: Mapping[str, Fairness]


def simulate(assumed: Assumptions, say: Callable[[str], None]) -> Results:
    """Run everything; about a minute."""
    say("shared prefixes, a burst")
    burst = _by_policy(lambda maker, seed: run_burst(assumed, maker, replicas=REPLICAS, seed=seed), range(101, 113))
    say("conversations")
    talk = _by_policy(lambda maker, seed: run_conversations(assumed, maker, replicas=REPLICAS, seconds=300, seed=seed))
    say("a federation that breaks")
    federation = _by_policy(lambda maker, seed: run_federation(assumed, maker, seconds=1800, seed=seed))
    say("four replicas against one, and a greedy user")
    queues = {
        name: run_fairness(assumed, make, seconds=300, seed=1) for name, make in (("fair", Fair), ("plain", Plain))
    }
    return Results(burst, talk, federation, measure_efficiency(assumed), queues)


def _by_policy(run: Callable[[Maker, int], Outcome], seeds: Iterable[int] = SEEDS[:3]) -> Outcomes:
    return {name: mean_of([run(maker, seed) for seed in seeds]) for name, maker in POLICIES.items()}


def measure_efficiency(assumed: Assumptions) -> dict[str, float]:
    """The shipped ranking on saturated replicas: as assumed, where contexts nearly fill the caches, and with room."""
    return {
        SHARED: _efficiency(lambda count, seed: _saturated(assumed, count, seed)),
        ROOMY: _efficiency(lambda count, seed: _saturated(assumed.scaled("cache_tokens", 2), count, seed)),
        TALK: _efficiency(
            lambda count, seed: run_conversations(assumed, POLICIES[SHIPPED], replicas=count, seconds=300, seed=seed)
        ),
    }


def _saturated(assumed: Assumptions, replicas: int, seed: int) -> Outcome:
    return run_saturated(assumed, POLICIES[SHIPPED], replicas=replicas, seconds=600, seed=seed)


def _efficiency(run: Callable[[int, int], Outcome]) -> float:
    four, one = (fmean(run(count, seed).output_tokens_per_s for seed in SEEDS) for count in (4, 1))
    return four / (4 * one)


def mean_of(outcomes: list[Outcome]) -> Outcome:
    """Figure by figure; of the waits the first run's."""
    names = [name for name in Outcome.__dataclass_fields__ if name not in {"requests", "waits_s"}]
    means = {name: fmean(getattr(outcome, name) for outcome in outcomes) for name in names}
    return Outcome(requests=sum(outcome.requests for outcome in outcomes), waits_s=outcomes[0].waits_s, **means)


def judge(results: Results) -> list[Verdict]:
    """The bounds of the issue."""
    ours, blind = results.burst[SHIPPED], results.burst[ROUND_ROBIN]
    output, ttft = ours.output_tokens_per_s / blind.output_tokens_per_s, ours.ttft_mean_s / blind.ttft_mean_s
    return [
        Verdict("shared prefixes: output / round robin's", output, 2, "x", at_least=True),
        Verdict("shared prefixes: mean TTFT / round robin's", ttft, 0.2, "x"),
        *(
            Verdict(f"scaling efficiency of four, {name}", value, 0.95, "", at_least=True)
            for name, value in results.efficiency.items()
        ),
        Verdict("Jain's index, one user offers 100 times", results.queues["fair"].jain, 0.95, "", at_least=True),
    ]


def format_outcomes(outcomes: Outcomes) -> str:
    """A row per policy."""
    rows = [
        [
            name,
            f"{one.output_tokens_per_s:,.0f}",
            f"{one.ttft_mean_s:.2f} s",
            f"{one.ttft_p50_s:.2f} s",
            f"{one.ttft_p99_s:.1f} s",
            f"{one.hit_share:.0%}",
            f"{one.broken_share:.2%}",
        ]
        for name, one in outcomes.items()
    ]
    return format_table(_COLUMNS, rows)


def format_queues(queues: Mapping[str, Fairness]) -> str:
    """A row per kind of queue."""
    rows = []
    for name, one in queues.items():
        others = [count for user, count in one.served.items() if user != "greedy"]
        counts = (f"{one.served['greedy']}", f"{fmean(others):.0f}")
        rows.append([f"{name} queue", f"{one.jain:.3f}", *counts, f"{one.wait_mean_s:.1f} s"])
    return format_table(("", "Jain's index", "served: the greedy one", "each other", "the others wait"), rows)


def sweep(assumed: Assumptions) -> dict[str, tuple[float, float]]:
    """Output and mean TTFT of the burst as multiples of round robin's, by what was halved or doubled."""
    found = {"as assumed": _compare(assumed)}
    for name in list_sweep():
        for factor in (0.5, 2.0):
            found[f"{name} x {factor:g}"] = _compare(assumed.scaled(name, factor))
    return found


def _compare(assumed: Assumptions) -> tuple[float, float]:
    ours, blind = (
        mean_of([run_burst(assumed, POLICIES[name], replicas=REPLICAS, seed=seed) for seed in SEEDS])
        for name in (SHIPPED, ROUND_ROBIN)
    )
    return ours.output_tokens_per_s / blind.output_tokens_per_s, ours.ttft_mean_s / blind.ttft_mean_s
