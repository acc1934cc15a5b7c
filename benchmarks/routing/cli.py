"""The command line of the routing simulator."""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.report import format_table, format_verdicts, say
from benchmarks.routing.assumptions import Assumptions, load_assumptions
from benchmarks.routing.control import format_control
from benchmarks.routing.figures import Results, format_outcomes, format_queues, judge, simulate, sweep
from benchmarks.routing.ranking_time import measure_ranking

DESCRIPTION = "Simulate the shipped ranking on a fleet whose costs are in assumptions.toml. The last line is JSON."


def main(argv: Sequence[str]) -> int:
    """Run the command; the exit status says that it could simulate, not that the bounds hold."""
    parser = argparse.ArgumentParser("python -m benchmarks.routing", description=DESCRIPTION)
    parts = parser.add_mutually_exclusive_group()
    parts.add_argument("--ranking", action="store_true", help="how long the ranking itself takes, by places")
    parts.add_argument("--control", action="store_true", help="what polling and Redis carry at 100 clusters")
    parts.add_argument("--sweep", action="store_true", help="halve and double the assumptions")
    parser.add_argument(
        "--plots", type=Path, metavar="FOLDER", help="write the plots as PNG as well (make bench's set)"
    )
    options = parser.parse_args(argv)
    if options.ranking:
        print(format_ranking(measure_ranking()))
    elif options.control:
        print(format_control())
    elif options.sweep:
        _sweep(load_assumptions(), options.plots)
    else:
        _simulate(load_assumptions(), options.plots)
    return 0


def _simulate(assumed: Assumptions, folder: Path | None) -> None:
    began = time.monotonic()
    results = simulate(assumed, say)
    print(format_results(assumed, results))
    if folder is not None:
        from benchmarks.routing.plots import plot_results  # noqa: PLC0415 - matplotlib is in the bench set only

        plot_results(assumed, results, folder)
    bounds = [{**asdict(each), "is_within": each.is_within} for each in judge(results)]
    print(json.dumps({"bounds": bounds, "seconds": round(time.monotonic() - began)}))


def _sweep(assumed: Assumptions, folder: Path | None) -> None:
    found = sweep(assumed)
    rows = [[name, f"{output:.2f} x", f"{ttft:.3f} x"] for name, (output, ttft) in found.items()]
    print(format_table(("", "output / round robin's", "mean TTFT / round robin's"), rows))
    if folder is not None:
        from benchmarks.routing.plots import plot_sweep  # noqa: PLC0415 - as above

        plot_sweep(found, folder)


def format_results(assumed: Assumptions, results: Results) -> str:
    """What a person reads."""
    return "\n\n".join(
        [
            "## Shared prefixes, a burst\n\n" + format_outcomes(results.burst),
            _describe_measured(assumed),
            "## Conversations\n\n" + format_outcomes(results.conversations),
            "## A federation that breaks\n\n" + format_outcomes(results.federation),
            "## One greedy user of twenty\n\n" + format_queues(results.queues),
            format_verdicts(judge(results)),
        ]
    )


def _describe_measured(assumed: Assumptions) -> str:
    blind, affine = assumed.measured_blind_tokens_per_s, assumed.measured_affine_tokens_per_s
    return (
        f"Measured by others on such a fleet: {blind:,.0f} output tokens/s at random, {affine:,.0f} by prefix and load."
    )


def format_ranking(measured: dict[int, dict[str, float]]) -> str:
    """Microseconds by places."""
    cases = list(next(iter(measured.values())))
    rows = [[f"{size} places", *(f"{found[case]:.1f} µs" for case in cases)] for size, found in measured.items()]
    return format_table(("median", *cases), rows)
