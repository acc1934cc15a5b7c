"""What the control plane costs by size, counted, not run: ``python -m benchmarks.routing --control``."""

import math
from dataclasses import dataclass

import orjson

from benchmarks.report import format_table
from resource_server.domain.standing import Standing
from resource_server.domain.states import ModelState

GLOBUS_REQUESTS_PER_S = 2.0
"""Globus Compute allows a client 20 requests in 10 s."""
OLDEST_S = 240.0
"""The bound on the age of a state."""
ANSWER_S = 20.0
"""From the submission of a status task to its result: a slow scheduler."""
WAYS = (
    ("status task and endpoint status, 25 % of the budget", 2, 0.25),
    ("status task, whose result shows that the endpoint is online, 25 % of the budget", 1, 0.25),
    ("status task and endpoint status, a client of its own at 90 %", 2, 0.9),
)
COPIES = 3
"""Targets of a model: 1,000 models on 100 clusters, each on three of them."""
WORKER_REQUESTS_PER_S = 1000.0
"""What one worker serves: `benchmarks/README.md` measured 0.6 ms of CPU a request, and a third is kept free."""
REDIS_COMMANDS_PER_S = 100_000.0
"""Redis's own figure for one core without pipelining (redis-benchmark in its documentation)."""


@dataclass(frozen=True, slots=True)
class Control:
    """Counted per second, unless the name says otherwise.

    Attributes:
        calls_per_cycle: calls to Globus Compute in which every cluster is asked once.
        period_s: of a cycle within the budget.
        oldest_s: the age of a state just before it is replaced: a cycle and the answer's way.
    """

    calls_per_cycle: int
    period_s: float
    oldest_s: float
    snapshot_bytes: int
    workers: int
    redis_commands_per_s: float
    redis_bytes_per_s: float


def count_control(clusters: int, models: int, requests_per_s: float, calls: int, client_share: float) -> Control:
    """`calls` to Globus Compute a cluster and cycle, within `client_share` of what one client may do.

    Submitting a status task is one call, asking for a compute endpoint's status another; results come by the message
    queue. Each worker reads one snapshot of all standings a second, and spends two commands on a request: limits are
    reserved and settled.
    """
    per_cycle = calls * clusters
    period_s = max(60.0, per_cycle / (GLOBUS_REQUESTS_PER_S * client_share))
    workers = math.ceil(requests_per_s / WORKER_REQUESTS_PER_S)
    snapshot_bytes = len(orjson.dumps(_example())) * models * COPIES
    return Control(
        calls_per_cycle=per_cycle,
        period_s=period_s,
        oldest_s=period_s + ANSWER_S,
        snapshot_bytes=snapshot_bytes,
        workers=workers,
        redis_commands_per_s=2 * requests_per_s + workers + clusters / period_s,
        redis_bytes_per_s=float(workers * snapshot_bytes),
    )


def format_control(clusters: int = 100, models: int = 1000, requests_per_s: float = 10_000) -> str:
    """A row per way of asking, then what Redis carries."""
    rows = []
    for name, calls, share in WAYS:
        one = count_control(clusters, models, requests_per_s, calls, share)
        within = "within" if one.oldest_s <= OLDEST_S else f"over by {one.oldest_s / OLDEST_S - 1:.0%}"
        rows.append([name, f"{one.calls_per_cycle}", f"{one.period_s:.0f} s", f"{one.oldest_s:.0f} s", within])
    head = ("", "calls a cycle", "cycle", "oldest state", f"bound {OLDEST_S:.0f} s")
    return (
        f"{clusters} clusters, {models:,} models on {COPIES} of them each, {requests_per_s:,.0f} requests/s\n\n"
        f"{format_table(head, rows)}\n\n"
        f"workers: {one.workers} of {WORKER_REQUESTS_PER_S:,.0f} requests/s\n"
        f"Redis: {one.redis_commands_per_s:,.0f} commands/s, {one.redis_commands_per_s / REDIS_COMMANDS_PER_S:.0%} of "
        f"what one does; snapshots of {one.snapshot_bytes / 1e3:,.0f} kB, {one.redis_bytes_per_s / 1e6:.1f} MB/s in all"
    )


def _example() -> dict[str, object]:
    standing = Standing(ModelState.STARTING, 1_700_000_000.0, 215.0, 12, 3600.0)
    fields = {name: getattr(standing, name) for name in standing.__dataclass_fields__}
    return {"polaris/vllm/meta-llama/Llama-3.3-70B-Instruct": fields}
