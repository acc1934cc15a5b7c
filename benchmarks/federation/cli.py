"""The command line of ``python -m benchmarks.federation``."""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.federation import cold_start, failover
from benchmarks.figures import Verdict
from benchmarks.processes import BenchmarkError, Cores, Programs, allow_open_files, find_free_port
from benchmarks.report import format_table, format_verdicts, say
from benchmarks.targets.cloud import start_cloud

DESCRIPTION = "Cold starts and failover through a whole gateway, on this machine. The last line is JSON."


def main(argv: Sequence[str]) -> int:
    """Run the command; returns its exit status: 0 measured (whatever the figures), 1 could not measure."""
    parser = argparse.ArgumentParser("python -m benchmarks.federation", description=DESCRIPTION)
    parser.add_argument("--quick", action="store_true", help="small sizes: a look, not a result")
    options = parser.parse_args(argv)
    allow_open_files()
    try:
        document, verdicts = _measure(is_quick=options.quick)
    except BenchmarkError as exc:
        print(f"benchmarks: {exc}", file=sys.stderr)
        return 1
    for part, figures in document.items():
        rows = [[name, f"{value:.4g}"] for name, value in figures.items()]
        print(f"\n## {part}\n\n{format_table(['figure', 'value'], rows)}")
    print(f"\n{format_verdicts(verdicts)}\n")
    bounds = [{**asdict(each), "is_within": each.is_within} for each in verdicts]
    print(json.dumps({**document, "bounds": bounds}))
    return 0


def _measure(*, is_quick: bool) -> tuple[dict[str, dict[str, float]], list[Verdict]]:
    cold = cold_start.Sizes(20, 2.0) if is_quick else cold_start.Sizes()
    death = failover.Sizes(2, 16) if is_quick else failover.Sizes()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, Programs(Path(folder), Cores()) as programs:
        cloud = start_cloud(programs)
        say(f"{cold.waiters} wait for a model that starts in {cold.start_s:g} s")
        cold_figures = cold_start.measure(programs, cloud, find_free_port(), cold)
        say(f"targets die {death.deaths} times under {death.concurrency} connections")
        death_figures = failover.measure(programs, cloud, find_free_port(), death)
    document = {"cold start": cold_figures, "failover": death_figures}
    return document, [*cold_start.judge(cold_figures), *failover.judge(death_figures)]
