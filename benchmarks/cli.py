"""The command line of ``make bench``."""

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks import http_part
from benchmarks.figures import Verdict, judge_http, judge_tasks
from benchmarks.imports import measure_imports_mb
from benchmarks.processes import BenchmarkError, Cores, Programs, allow_open_files
from benchmarks.report import format_http, format_tasks, format_verdicts, say
from benchmarks.targets.cloud import Cloud, start_cloud
from benchmarks.targets.peers import start_mock
from benchmarks.targets.target import Target
from benchmarks.tasks import part as task_part

DESCRIPTION = "Measure the gateway beside its peers, on this machine, as ratios of one run. The last line is JSON."


def main(argv: Sequence[str]) -> int:
    """Run the command; returns its exit status: 0 measured (whatever the figures), 1 could not measure."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=DESCRIPTION)
    parser.add_argument(
        "--quick", action="store_true", help="a minute with the gateway and the bare view: a look, not a result"
    )
    parser.add_argument("--only", choices=("http", "tasks"), help="one of the two parts")
    options = parser.parse_args(argv)
    allow_open_files()
    signal.signal(signal.SIGTERM, _stop)
    started_at = time.monotonic()
    try:
        document = _measure(options)
    except BenchmarkError as exc:
        print(f"benchmarks: {exc}", file=sys.stderr)
        return 1
    document["seconds"] = round(time.monotonic() - started_at)
    print(json.dumps(document))
    return 0


def _stop(signum: int, _frame: object) -> None:
    """Leave by the way on which every program is ended."""
    sys.exit(128 + signum)


def _measure(options: argparse.Namespace) -> dict[str, object]:
    cores = Cores()
    print(f"# Inference gateway, measured\n\n{describe_machine(cores)}")
    document: dict[str, object] = {"quick": options.quick, "pinned": cores.is_pinned}
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, Programs(Path(folder), cores) as programs:
        cloud, mock = start_cloud(programs), start_mock(programs)
        if options.only != "tasks":
            verdicts += _measure_http(document, programs, cloud, mock)
        if options.only != "http":
            sizes = task_part.QUICK if options.quick else task_part.FULL
            tasks = task_part.measure(programs, cloud, mock, sizes, say)
            print(f"\n{format_tasks(tasks)}")
            document["tasks"] = tasks
            verdicts += judge_tasks(tasks)
    print(f"\n{format_verdicts(verdicts)}\n")
    document["bounds"] = [{**asdict(each), "is_within": each.is_within} for each in verdicts]
    return document


def _measure_http(document: dict[str, object], programs: Programs, cloud: Cloud, mock: Target) -> list[Verdict]:
    sizes = http_part.QUICK if document["quick"] else http_part.FULL
    imports_mb = measure_imports_mb(programs)
    with Programs(programs.folder, programs.cores) as peers:  # they are gone when the next part begins
        targets, absent = http_part.start_targets(peers, cloud, mock, sizes)
        figures = http_part.measure(peers, targets, sizes, say)
    print(f"\n{format_http(figures, absent)}")
    print(f"\nRSS of a process that only imports what the gateway imports: {imports_mb:.0f} MB")
    document |= {"http": figures, "absent": absent, "rss_imports_mb": imports_mb}
    return judge_http(figures)


def describe_machine(cores: Cores) -> str:
    """One line on what it ran on."""
    placing = "targets on one core, load generator and mock on another" if cores.is_pinned else "nothing is pinned"
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; {placing}."
