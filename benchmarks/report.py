"""What a person reads: tables on the standard output, progress on the standard error."""

import sys
from collections.abc import Mapping, Sequence

from benchmarks.figures import BARE, Figures, Verdict
from benchmarks.statistics import ratio

_HTTP_COLUMNS = (
    ("cpu_us_per_request", "CPU µs/request, at 64", "{:.0f}"),
    ("requests_per_s", "requests/s, at 64", "{:.0f}"),
    ("added_p50_ms", "added p50 ms, at 1", "{:.2f}"),
    ("added_p99_ms", "added p99 ms, at 1", "{:.2f}"),
    ("cpu_us_per_event", "CPU µs/event, 100 paced", "{:.1f}"),
    ("cpu_us_per_burst_event", "CPU µs/event, bursts", "{:.1f}"),
    ("streams_complete", "of 500 streams: complete", "{:.0f}"),
    ("streams_equal", "byte-equal", "{:.0f}"),
    ("rss_idle_mb", "RSS MB, idle", "{:.0f}"),
    ("rss_streams_mb", "RSS MB, 500 streams", "{:.0f}"),
)
_TASK_COLUMNS = (
    ("requests", "requests", "{:.0f}"),
    ("failures", "failures", "{:.0f}"),
    ("p50_ms", "p50 ms", "{:.0f}"),
    ("p95_ms", "p95 ms", "{:.0f}"),
    ("cpu_us_per_event", "gateway's CPU µs/event", "{:.1f}"),
)
_RATIOS = ("cpu_us_per_request", "cpu_us_per_event", "cpu_us_per_burst_event")


def say(line: str) -> None:
    """Show progress."""
    print(line, file=sys.stderr, flush=True)


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns line up."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    cells = [[line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
             for line in lines]  # fmt: skip
    cells.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def format_figures(figures: Figures, columns: Sequence[tuple[str, str, str]]) -> str:
    """A row per target, a column per figure; a dash where there is none."""
    rows = [
        [name, *(_format(found.get(key), pattern) for key, _, pattern in columns)] for name, found in figures.items()
    ]
    return format_table(["", *(title for _, title, _ in columns)], rows)


def format_http(figures: Figures, absent: Mapping[str, str]) -> str:
    """The first part: absolute figures, then the same CPU as multiples of the bare view's."""
    bare = figures.get(BARE, {})
    ratios = {
        name: {key: value for key in _RATIOS if (value := ratio(found.get(key), bare.get(key))) is not None}
        for name, found in figures.items()
    }
    columns = [(key, title, "{:.2f} x") for key, title, _ in _HTTP_COLUMNS if key in _RATIOS]
    missing = [f"absent: {name} ({reason})" for name, reason in absent.items()]
    return "\n\n".join(
        [
            "## HTTP",
            format_figures(figures, _HTTP_COLUMNS),
            f"As multiples of {BARE}:",
            format_figures(ratios, columns),
            *missing,
        ]
    )


def format_tasks(figures: Figures) -> str:
    """The second part."""
    return "## Tasks through the local Globus cloud\n\n" + format_figures(figures, _TASK_COLUMNS)


def format_verdicts(verdicts: Sequence[Verdict]) -> str:
    """Each bound, and whether it holds."""
    rows = [
        [
            each.name,
            _format(each.value, f"{{:.{each.digits}f}} {each.unit}".rstrip()),
            f"{'≥' if each.at_least else '≤'} {each.bound:g} {each.unit}".rstrip(),
            each.describe(),
        ]
        for each in verdicts
    ]
    return "## Bounds\n\n" + format_table(["", "measured", "bound", ""], rows)


def _format(value: float | None, pattern: str) -> str:
    return "-" if value is None else pattern.format(value)
