"""The command line of ``make bench``."""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import http_part
from benchmarks.figures import Verdict, judge_http
from benchmarks.imports import measure_imports_mb
from benchmarks.processes import BenchmarkError, Cores, Programs, allow_open_files
from benchmarks.report import format_http, format_verdicts, say
from benchmarks.targets.cloud import start_cloud

DESCRIPTION = "Measure the gateway beside its peers, on this machine, as ratios of one run. The last line is JSON."


def main(argv: Sequence[str]) -> int:
    """Run the command; returns its exit status: 0 measured (whatever the figures), 1 could not measure."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=DESCRIPTION)
    parser.add_argument("--quick", action="store_true", help="one short round, about a minute: a look, not a result")
    parser.add_argument("--only", choices=("http", "tasks"), help="one of the two parts")
    options = parser.parse_args(argv)
    allow_open_files()
    started_at = time.monotonic()
    try:
        document = _measure(options)
    except BenchmarkError as exc:
        print(f"benchmarks: {exc}", file=sys.stderr)
        return 1
    document["seconds"] = round(time.monotonic() - started_at)
    print(json.dumps(document))
    return 0


def _measure(options: argparse.Namespace) -> dict[str, object]:
    cores = Cores()
    print(f"# Inference gateway, measured\n\n{describe_machine(cores)}\n")
    verdicts: list[Verdict] = []
    document: dict[str, object] = {"quick": options.quick, "pinned": cores.is_pinned}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, Programs(Path(folder), cores) as programs:
        cloud = start_cloud(programs)
        sizes = http_part.QUICK if options.quick else http_part.FULL
        imports_mb = measure_imports_mb(programs)
        targets, absent = http_part.start_targets(programs, cloud)
        figures = http_part.measure(programs, targets, sizes, say)
        print(format_http(figures, absent))
        print(f"\nRSS of a process that only imports what the gateway imports: {imports_mb:.0f} MB\n")
        document |= {"http": figures, "absent": absent, "rss_imports_mb": imports_mb}
        verdicts += judge_http(figures)
    print(format_verdicts(verdicts))
    document["bounds"] = {each.name: {"value": each.value, "bound": each.bound, "is_within": each.is_within}
                          for each in verdicts}  # fmt: skip
    return document


def describe_machine(cores: Cores) -> str:
    """One line on what it ran on."""
    placing = "targets on one core, load generator and mock on another" if cores.is_pinned else "nothing is pinned"
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; {placing}."
