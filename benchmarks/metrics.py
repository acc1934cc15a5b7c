"""What metrics cost: a scrape of a large catalogue, and the share of metrics and logs in a governed request.

``python -m benchmarks.metrics``
"""

import json
import re
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.http_part import run_plan
from benchmarks.plans import Address, Plan
from benchmarks.processes import BenchmarkError, Cores, Programs, allow_open_files, find_free_port
from benchmarks.targets.cloud import Cloud, start_cloud
from benchmarks.targets.gateway import CHAT_PATH, UNARY, build_row, build_rows, serve_gateway
from benchmarks.targets.target import Target

CLUSTERS = 20
MODELS_EACH = 50
SCRAPES = 100
ROUNDS = 15
SECONDS = 1.5
CONCURRENCY = 32
SCRAPE_BOUND_MS = 50.0
LINES_BOUND = 5000
SHARE_BOUND = 0.10


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured. `shares` are by round: (whole - quiet) / whole, in CPU time for a request."""

    scrapes_ms: list[float]
    scrape_cpu_ms: float
    lines: int
    whole_us: list[float]
    shares: list[float]


def main() -> int:
    """Print the figures; returns the exit status: 0 measured, 1 could not measure."""
    allow_open_files()
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder, Programs(Path(folder), Cores()) as programs:
            cloud = start_cloud(programs)
            scrapes_ms, cpu_ms, lines = measure_scrapes(programs, cloud)
            whole_us, shares = measure_shares(programs, cloud)
    except BenchmarkError as exc:
        print(f"benchmarks.metrics: {exc}", file=sys.stderr)
        return 1
    print(describe(Figures(scrapes_ms, cpu_ms, lines, whole_us, shares)))
    return 0


def describe(figures: Figures) -> str:
    """The table."""
    p50_ms, p90_ms = (statistics.quantiles(figures.scrapes_ms, n=10)[at] for at in (4, 8))
    share, spread = statistics.median(figures.shares), (min(figures.shares), max(figures.shares))
    whole_us = statistics.median(figures.whole_us)
    rows = (
        ("scrape, p50", f"{SCRAPE_BOUND_MS:.0f} ms", f"{p50_ms:.1f} ms", p50_ms <= SCRAPE_BOUND_MS),
        ("scrape, p90", f"{SCRAPE_BOUND_MS:.0f} ms", f"{p90_ms:.1f} ms", p90_ms <= SCRAPE_BOUND_MS),
        ("scrape, CPU", "", f"{figures.scrape_cpu_ms:.1f} ms", True),
        ("lines of a scrape", f"{LINES_BOUND:,}", f"{figures.lines:,}", figures.lines <= LINES_BOUND),
        (
            "metrics and logs, of a governed request's CPU",
            f"{SHARE_BOUND:.0%}",
            f"{share:.1%} of {whole_us:.0f} \u00b5s (rounds: {spread[0]:.1%} to {spread[1]:.1%})",
            share <= SHARE_BOUND,
        ),
    )
    lines = [f"{CLUSTERS * MODELS_EACH:,} models, each asked once, streamed", "", "| figure | bound | measured | |"]
    lines += ["|---|---|---|---|"]
    lines += [
        f"| {name} | {bound} | {found} | {'' if not bound else 'within' if ok else 'over'} |"
        for name, bound, found, ok in rows
    ]
    return "\n".join(lines)


def measure_scrapes(programs: Programs, cloud: Cloud) -> tuple[list[float], float, int]:
    """Of scrapes by HTTP, when every model has been asked once: milliseconds, CPU milliseconds of one, its lines."""
    port = find_free_port()
    program = serve_gateway(programs, port, cloud, build_many_rows())
    headers = {"Authorization": f"Bearer {cloud.issue_token()}", "Content-Type": "application/json"}
    for number in range(CLUSTERS * MODELS_EACH):
        body = {"model": name_model(number), "messages": [{"role": "user", "content": "x"}], "stream": True}
        if not _fetch(port, CHAT_PATH, headers, body).endswith(b"data: [DONE]\n\n"):
            raise BenchmarkError("a stream broke off")
    times_ms, text, before_s = [], b"", program.cpu_s
    for _ in range(SCRAPES):
        began_at = time.perf_counter()
        text = _fetch(port, "/resource_server/metrics", {})
        times_ms.append((time.perf_counter() - began_at) * 1000)
    cpu_ms = (program.cpu_s - before_s) / SCRAPES * 1000
    states = len(re.findall(rb"^gateway_model_state{", text, re.MULTILINE))
    if states != CLUSTERS * MODELS_EACH:
        raise BenchmarkError(f"the scrape shows {states} models")
    program.stop()
    return times_ms, cpu_ms, text.count(b"\n")


def measure_shares(programs: Programs, cloud: Cloud) -> tuple[list[float], list[float]]:
    """CPU microseconds of a request with metrics and logs, and their share in it, round by round.

    Both gateways are asked at the same time and share one core, so that whatever else the machine does hits both.
    """
    applications = {"whole": "inference_gateway.asgi:application", "quiet": "benchmarks.quiet:application"}
    targets: dict[str, Target] = {}
    for name, application in applications.items():
        port = find_free_port()
        rows = build_rows("http://127.0.0.1:9/v1")
        program = serve_gateway(programs, port, cloud, rows, application=application, LOG_LEVEL="INFO")
        address = Address(port, CHAT_PATH, {"Authorization": f"Bearer {cloud.issue_token()}"})
        targets[name] = Target(name, program, address, is_mock=False, defers=True)
        _find_cost_us(programs, targets[name])
    whole_us, shares = [], []
    with ThreadPoolExecutor(len(targets)) as pool:
        for _ in range(ROUNDS):
            costs = dict(zip(targets, pool.map(partial(_find_cost_us, programs), targets.values()), strict=True))
            whole_us.append(costs["whole"])
            shares.append(1 - costs["quiet"] / costs["whole"])
    return whole_us, shares


def build_many_rows() -> list[dict[str, Any]]:
    """A large catalogue of models that answer at once."""
    fields = {"backend": "simulated", "framework": "vllm", "first_token_ms": 0, "token_interval_ms": 0}
    return [
        build_row(
            number + 1, name_model(number), fields | {"cluster": f"c{number % CLUSTERS}", "model": name_model(number)}
        )
        for number in range(CLUSTERS * MODELS_EACH)
    ]


def name_model(number: int) -> str:
    """As long as such names are."""
    return f"an-organisation/a-model-with-a-name-{number}-instruct"


def _find_cost_us(programs: Programs, target: Target) -> float:
    found = run_plan(
        programs,
        target,
        Plan("unary", target.address, UNARY, concurrency=CONCURRENCY, seconds=SECONDS, is_mock=False),
    )
    return found["cpu_s"] / found["requests"] * 1e6


def _fetch(port: int, path: str, headers: Mapping[str, str], body: Mapping[str, Any] | None = None) -> bytes:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - a loopback address
            answer: bytes = response.read()
    except OSError as exc:
        raise BenchmarkError(f"{path}: {exc}") from exc
    return answer


if __name__ == "__main__":
    sys.exit(main())
