"""Dashboards drawn with matplotlib: the panels, places and queries are Grafana's, the pictures are not."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Patch
from matplotlib.ticker import MaxNLocator
from PIL import Image

from scripts.dashboards.panels import STATES
from tests.monitoring.dashboards import list_panels

WIDTH_IN, ROW_IN, DPI = 15.0, 0.36, 88
INK, FAINT, PAGE, CARD = "#1f2937", "#94a3b8", "#f1f5f9", "#ffffff"
GOOD, BAD, PLAIN = "#15803d", "#b91c1c", "#1d4ed8"
PALETTE = ("#2563eb", "#16a34a", "#d97706", "#9333ea", "#dc2626", "#0891b2", "#65a30d", "#db2777", "#64748b")
COLOURS = {
    "blue": "#60a5fa",
    "purple": "#a78bfa",
    "yellow": "#fbbf24",
    "green": "#22c55e",
    "orange": "#fb923c",
    "red": "#ef4444",
}
MAX_LEGEND = 6


@dataclass(frozen=True)
class Line:
    """One series of a panel: POSIX seconds and values."""

    name: str
    labels: Mapping[str, str]
    times: Sequence[float]
    values: Sequence[float]


@dataclass(frozen=True)
class Rows:
    """What a table shows."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


Answer = Sequence[Line] | Rows
Ask = Callable[[dict[str, Any]], Answer]
"""A panel's answer, from whichever source it asks."""


def draw(dashboard: dict[str, Any], ask: Ask, path: Path) -> None:
    """Draw all panels of a dashboard to a PNG."""
    mpl.rcParams.update({"font.family": "DejaVu Sans", "text.color": INK, "axes.edgecolor": FAINT})
    units = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"]) + 2
    figure = Figure(figsize=(WIDTH_IN, units * ROW_IN), dpi=DPI, facecolor=PAGE)
    page = figure.add_axes((0, 0, 1, 1), xlim=(0, 24), ylim=(units, 0))
    page.axis("off")
    page.text(0.15, 1.0, dashboard["title"], fontsize=17, weight="bold", va="center")
    page.text(23.85, 1.0, dashboard["description"], fontsize=10, color="#475569", va="center", ha="right")
    for heading in dashboard["panels"]:
        if heading["type"] == "row":
            page.text(
                0.15, heading["gridPos"]["y"] + 2.55, heading["title"], fontsize=11, weight="bold", color="#475569"
            )
    for panel in list_panels(dashboard):
        _draw_panel(page, figure, units, panel, ask(panel))
    figure.savefig(path)
    with Image.open(path) as drawn:
        smaller = drawn.convert("RGB").quantize(224)
    smaller.save(path, optimize=True)


def _draw_panel(page: Axes, figure: Figure, units: int, panel: dict[str, Any], answer: Answer) -> None:
    place = panel["gridPos"]
    x, y, width, height = place["x"], place["y"] + 2, place["w"], place["h"]
    card = (x + 0.08, y + 0.08), width - 0.16, height - 0.16
    page.add_patch(
        FancyBboxPatch(*card, boxstyle="round,pad=0,rounding_size=0.08", facecolor=CARD, edgecolor="#e2e8f0")
    )
    page.text(x + 0.25, y + 0.65, panel["title"], fontsize=9, weight="bold", va="center")
    left, right, bottom = (0.95, 0.25, 1.75) if panel["type"] == "timeseries" else (0.25, 0.25, 0.3)
    left = 2.9 if panel["type"] in {"state-timeline", "bargauge"} else left
    bottom = 0.9 if panel["type"] == "state-timeline" else bottom
    bounds = (
        (x + left) / 24,
        1 - (y + height - bottom) / units,
        (width - left - right) / 24,
        (height - 1.15 - bottom) / units,
    )
    axes = figure.add_axes(bounds)
    axes.tick_params(labelsize=7, colors="#64748b", length=2)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    _BY_TYPE[panel["type"]](axes, panel, answer)


def _draw_number(axes: Axes, panel: dict[str, Any], answer: Answer) -> None:
    axes.axis("off")
    value = _first_number(answer)
    text = "no data" if value is None else humanize(value, panel["fieldConfig"]["defaults"]["unit"])
    axes.text(0.5, 0.5, text, fontsize=21, weight="bold", ha="center", va="center", color=_judge(panel, value))


def _first_number(answer: Answer) -> float | None:
    if isinstance(answer, Rows):
        return float(answer.rows[0][0]) if answer.rows else None
    return answer[0].values[-1] if answer else None


def _judge(panel: dict[str, Any], value: float | None) -> str:
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    colours = {"green": GOOD, "red": BAD, "blue": PLAIN}
    reached = [step for step in steps if step["value"] is None or (value is not None and value >= step["value"])]
    return colours[reached[-1]["color"]]


def _draw_lines(axes: Axes, panel: dict[str, Any], answer: Answer) -> None:
    lines = [] if isinstance(answer, Rows) else sorted(answer, key=lambda line: -sum(map(_finite, line.values)))
    custom = panel["fieldConfig"]["defaults"]["custom"]
    fixed = _find_colours(panel)
    colours = [fixed.get(line.name, PALETTE[number % len(PALETTE)]) for number, line in enumerate(lines)]
    if custom["stacking"]["mode"] == "normal" and lines:
        times = sorted({time for line in lines for time in line.times})
        heights = [_align(line, times) for line in lines]
        axes.stackplot(times, heights, colors=colours, alpha=0.75, linewidth=0)
    else:
        for line, colour in zip(lines, colours, strict=True):
            axes.plot(line.times, line.values, color=colour, linewidth=1.2)
    unit = panel["fieldConfig"]["defaults"]["unit"]
    _, high = axes.get_ylim()
    if not any(map(any, (line.values for line in lines))):
        high = 1.0
    axes.set_ylim(0, high)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(lambda value, _position: humanize(value, unit))
    axes.grid(axis="y", color="#e2e8f0", linewidth=0.6)
    axes.set_axisbelow(True)
    _label_times(axes)
    names = [line.name for line in lines[:MAX_LEGEND]] + (["…"] if len(lines) > MAX_LEGEND else [])
    handles = [Patch(color=colour) for colour in [*colours[:MAX_LEGEND], CARD][: len(names)]]
    axes.legend(
        handles,
        [shorten(name, 26) for name in names],
        fontsize=6.5,
        loc="upper center",
        bbox_to_anchor=(0.47, -0.13),
        ncols=3,
        frameon=False,
        handlelength=0.9,
        handleheight=0.7,
        columnspacing=1.0,
        labelspacing=0.25,
    )


def _find_colours(panel: dict[str, Any]) -> dict[str, str]:
    """Of the series that have one of their own, by name."""
    return {
        override["matcher"]["options"]: COLOURS[one["value"]["fixedColor"]]
        for override in panel["fieldConfig"]["overrides"]
        for one in override["properties"]
        if one["id"] == "color"
    }


def _label_times(axes: Axes) -> None:
    begin, end = axes.get_xlim()
    ticks = [begin + (end - begin) * share for share in (0.08, 0.5, 0.92)]
    axes.set_xticks(ticks, [datetime.fromtimestamp(tick, UTC).strftime("%H:%M:%S") for tick in ticks])


def _align(line: Line, times: Sequence[float]) -> list[float]:
    known = dict(zip(line.times, line.values, strict=True))
    return [_finite(known.get(time, 0.0)) for time in times]


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def _draw_bars(axes: Axes, panel: dict[str, Any], answer: Answer) -> None:
    lines = [] if isinstance(answer, Rows) else sorted(answer, key=lambda line: line.values[-1])[-8:]
    values = [line.values[-1] for line in lines]
    axes.barh(range(len(lines)), values, color=PLAIN, height=0.6)
    axes.set_yticks(range(len(lines)), [shorten(line.name, 24) for line in lines])
    axes.set_xticks([])
    axes.set_ylim(-0.6, max(len(lines), 4) - 0.4)
    for position, value in enumerate(values):
        axes.text(value, position, f" {humanize(value, 'short')}", fontsize=7, va="center")
    axes.margins(x=0.15)
    axes.spines["bottom"].set_visible(False)


def _draw_states(axes: Axes, panel: dict[str, Any], answer: Answer) -> None:
    lines = [] if isinstance(answer, Rows) else sorted(answer, key=lambda line: line.name, reverse=True)[-14:]
    colours = [COLOURS[colour] for colour in STATES.values()]
    for position, line in enumerate(lines):
        ends = [*line.times[1:], line.times[-1] + (line.times[-1] - line.times[0]) / max(len(line.times) - 1, 1)]
        spans = [(begin, min(end - begin, 10)) for begin, end in zip(line.times, ends, strict=True)]
        axes.broken_barh(spans, (position - 0.38, 0.76), facecolors=[colours[int(value) - 1] for value in line.values])
    axes.set_yticks(range(len(lines)), [shorten(line.name, 34) for line in lines])
    _label_times(axes)
    handles = [Patch(color=colour) for colour in colours]
    axes.legend(handles, STATES, fontsize=7, loc="upper right", bbox_to_anchor=(1, 1.13), ncols=6, frameon=False)


def _draw_table(axes: Axes, panel: dict[str, Any], answer: Answer) -> None:
    axes.axis("off")
    table = answer if isinstance(answer, Rows) else _tabulate(panel, answer)
    shown = int((panel["gridPos"]["h"] - 1) / 0.75)
    lengths = [
        max([len(name), *(min(len(row[column]), 30) for row in table.rows[:shown])]) + 2
        for column, name in enumerate(table.columns)
    ]
    left = 0.0
    for column, (name, length) in enumerate(zip(table.columns, lengths, strict=True)):
        texts = [name, *(row[column] for row in table.rows[: shown - 1])]
        for line, text in enumerate(texts):
            style: dict[str, Any] = {"weight": "bold", "color": "#475569"} if line == 0 else {}
            axes.text(left, 1 - (line + 0.5) / shown, shorten(text, 30), fontsize=7.5, va="center", **style)
        left += length / max(sum(lengths), 1)


def _tabulate(panel: dict[str, Any], lines: Sequence[Line]) -> Rows:
    """The columns that the panel's transformation leaves, under their names."""
    columns = panel["transformations"][-1]["options"]["renameByName"]
    rows = sorted([line.labels.get(field, "") for field in columns] for line in lines)
    return Rows(list(columns.values()), rows)


_BY_TYPE: dict[str, Callable[[Axes, dict[str, Any], Answer], None]] = {
    "stat": _draw_number,
    "timeseries": _draw_lines,
    "bargauge": _draw_bars,
    "state-timeline": _draw_states,
    "table": _draw_table,
}


def shorten(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def humanize(value: float, unit: str) -> str:
    """A number as a person would write it, in a unit of Grafana's."""
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    if value == 0:
        return "0"
    if unit == "s":
        return f"{1000 * value:.3g} ms" if abs(value) < 1 else f"{value:.3g} s"
    base = 1024 if unit in {"bytes", "Bps"} else 1000
    power = 0
    while abs(value) >= base and power < 4:
        value, power = value / base, power + 1
    prefix = ("", "k", "M", "G", "T")[power]
    suffix = {"bytes": "iB" if power else "B", "Bps": "iB/s" if power else "B/s", "reqps": "/s", "ops": "/s"}.get(
        unit, ""
    )
    number = re.sub(r"\.0$", "", f"{value:.3g}")
    return f"{number} {prefix}{suffix}".strip()
