"""The first part: HTTP targets, round after round in turn, so that whatever else the machine does hits all alike."""

import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Event, Thread

from benchmarks.exchange import BURST, PACED, SLOW
from benchmarks.plans import Plan
from benchmarks.processes import BenchmarkError, Programs
from benchmarks.statistics import medians
from benchmarks.targets.cloud import Cloud
from benchmarks.targets.gateway import UNARY, start_gateway
from benchmarks.targets.peers import (
    start_nginx,
    start_ninja_aiohttp,
    start_ninja_hopfree,
    start_ninja_httpx,
    start_vllm_router,
)
from benchmarks.targets.target import Target

CONCURRENCY = 64
STREAMS = 100
MANY_STREAMS = 500
_SAMPLE_EVERY_S = 0.1
_SETTLE_S = 5.0
_QUIET_WINDOW_S = 0.3
_QUIET_WINDOWS = 4
_QUIET_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured.

    Attributes:
        is_whole: every target, and bursts too; otherwise the gateway and the bare view, for the bounds' sake.
    """

    is_whole: bool = True
    rounds: int = 3
    seconds: float = 1.5
    paired_seconds: float = 1.0
    events: int = 120
    many_events: int = 32


FULL = Sizes()
QUICK = Sizes(is_whole=False, rounds=1, seconds=1.0, paired_seconds=0.5, events=80, many_events=20)

Figures = dict[str, dict[str, float]]
"""Target → figure → value."""


def start_targets(programs: Programs, cloud: Cloud, mock: Target, sizes: Sizes) -> tuple[list[Target], dict[str, str]]:
    """Every target that can be had, each having answered once; and the reason for each that is absent."""
    over_http, simulated = start_gateway(programs, cloud, mock)
    bare = start_ninja_hopfree(programs, mock)
    absent: dict[str, str] = {}
    if not sizes.is_whole:
        return [_warm(programs, target) for target in (mock, over_http, bare)], absent
    found = [over_http, simulated, bare, start_ninja_aiohttp(programs, mock), start_ninja_httpx(programs, mock)]
    for name, start in (("nginx", start_nginx), ("vllm-router", start_vllm_router)):
        peer = start(programs, mock)
        if isinstance(peer, str):
            absent[name] = peer
        else:
            found.append(peer)
    return [_warm(programs, target) for target in [mock, *found]], absent


def measure(programs: Programs, targets: list[Target], sizes: Sizes, say: Callable[[str], None]) -> Figures:
    """Medians over the rounds. The first target is the mock."""
    rounds: dict[str, list[dict[str, float]]] = {target.name: [] for target in targets}
    for number in range(sizes.rounds):
        for target in targets:
            say(f"round {number + 1} of {sizes.rounds}: {target.name}")
            found = _measure_once(programs, target, targets[0], sizes)
            if number == 0:
                say(f"{MANY_STREAMS} streams: {target.name}")
                found |= _measure_bursts(programs, target, sizes) | _measure_many(programs, target, sizes)
            rounds[target.name].append(found)
    return {name: medians(found) for name, found in rounds.items()}


def _measure_once(programs: Programs, target: Target, mock: Target, sizes: Sizes) -> dict[str, float]:
    unary = UNARY if not target.is_mock else PACED
    plan = Plan("unary", target.address, unary, concurrency=CONCURRENCY, seconds=sizes.seconds, is_mock=target.is_mock)
    busy = run_plan(programs, target, plan)
    found = {
        "cpu_us_per_request": busy["cpu_s"] / busy["requests"] * 1e6,
        "requests_per_s": busy["requests_per_s"],
        "p50_ms_at_64": busy["p50_ms"],
        "p99_ms_at_64": busy["p99_ms"],
    }
    if target is not mock:
        paired = replace(
            plan,
            kind="paired",
            concurrency=1,
            seconds=sizes.paired_seconds,
            baseline=mock.address,
            baseline_model=PACED,
        )
        alone = run_plan(programs, target, paired)
        found |= {name: alone[name] for name in ("added_p50_ms", "added_p99_ms", "mock_p50_ms")}
    streams = replace(plan, kind="streams", concurrency=STREAMS, events=sizes.events, model=target.model(PACED))
    found["cpu_us_per_event"] = cost_of_event(run_plan(programs, target, streams))
    return found


def _measure_bursts(programs: Programs, target: Target, sizes: Sizes) -> dict[str, float]:
    if not (target.bursts and sizes.is_whole):
        return {}
    plan = Plan("streams", target.address, target.model(BURST), concurrency=STREAMS, events=sizes.events)
    return {"cpu_us_per_burst_event": cost_of_event(run_plan(programs, target, plan))}


def _measure_many(programs: Programs, target: Target, sizes: Sizes) -> dict[str, float]:
    plan = Plan("streams", target.address, target.model(SLOW), concurrency=MANY_STREAMS, is_mock=target.is_mock)
    found = run_plan(programs, target, replace(plan, events=sizes.many_events, spread_s=2.0))
    figures = {
        "streams_complete": found["complete"],
        "cpu_us_per_event_at_500": cost_of_event(found),
        "rss_idle_mb": target.rss_idle_mb,
        "rss_streams_mb": found["rss_mb"],
    }
    if target.is_mock:
        figures["streams_equal"] = found["equal"]
    return figures


def cost_of_event(found: dict[str, float]) -> float:
    """CPU µs of the target per event, from what `run_plan` found. Raises `BenchmarkError` where none came."""
    if not found["events"]:
        raise BenchmarkError("not a single event came through")
    return found["cpu_s"] / found["events"] * 1e6


def run_plan(programs: Programs, target: Target, plan: Plan) -> dict[str, float]:
    """What the load generator found, and what the target spent on it, work that it put off included."""
    with _sampling(target) as peak_mb:
        before_s = target.program.cpu_s
        found: dict[str, float] = json.loads(programs.run([sys.executable, "-m", "benchmarks.load", plan.encode()]))
        found["cpu_s"] = (_settle(target) if target.defers else target.program.cpu_s) - before_s
    found["rss_mb"] = max(peak_mb)
    return found


def _settle(target: Target) -> float:
    """The target's CPU time when it is quiet again: the accounting's drain comes up to a second later."""
    give_up_at = time.monotonic() + _SETTLE_S
    before_s = -math.inf
    quiet = 0
    while quiet < _QUIET_WINDOWS and time.monotonic() < give_up_at:
        now_s = target.program.cpu_s
        quiet = quiet + 1 if now_s - before_s < _QUIET_SHARE * _QUIET_WINDOW_S else 0
        before_s = now_s
        time.sleep(_QUIET_WINDOW_S)
    return target.program.cpu_s


@contextmanager
def _sampling(target: Target) -> Iterator[list[float]]:
    """Within the block, the target's resident memory every `_SAMPLE_EVERY_S` seconds."""
    samples = [target.program.rss_mb]
    is_over = Event()

    def sample() -> None:
        while not is_over.wait(_SAMPLE_EVERY_S):
            samples.append(target.program.rss_mb)

    thread = Thread(target=sample, name="memory")
    thread.start()
    try:
        yield samples
    finally:
        is_over.set()
        thread.join()


def _warm(programs: Programs, target: Target) -> Target:
    unary = UNARY if not target.is_mock else PACED
    plan = Plan("unary", target.address, unary, seconds=0.02, is_mock=target.is_mock)
    run_plan(programs, target, plan)
    warmed = replace(target, rss_idle_mb=target.program.rss_mb)
    run_plan(programs, target, replace(plan, concurrency=8, seconds=0.5))
    return warmed
