"""Prometheus's text format, version 0.0.4.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import accumulate

from resource_server.telemetry.kinds import Amount, Counter, Gauge, Histogram, Values

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def render(series: Counter | Gauge | Histogram, children: Mapping[Values, Amount]) -> Iterator[str]:
    """The series' lines, its type first, whether or not there is anything to show."""
    yield f"# HELP {series.name} {series.help}\n# TYPE {series.name} {series.kind}\n"
    names = tuple(label.name for label in series.labels)
    for values, amount in children.items():
        labels = describe_labels(names, values)
        if isinstance(amount, list):
            if isinstance(series, Histogram) and len(amount) == len(series.buckets) + 2:
                yield _render_histogram(series, labels, amount)
        else:
            yield f"{series.name}{{{labels}}} {float(amount)}\n" if labels else f"{series.name} {float(amount)}\n"


def _render_histogram(series: Histogram, labels: str, amount: list[float]) -> str:
    name, before = series.name, f"{labels}," if labels else ""
    counts = list(accumulate(amount[1:]))
    bounds = (*map(float, series.buckets), "+Inf")
    lines = [
        f'{name}_bucket{{{before}le="{bound}"}} {float(count)}\n' for bound, count in zip(bounds, counts, strict=True)
    ]
    own = f"{{{labels}}}" if labels else ""
    return f"{''.join(lines)}{name}_count{own} {float(counts[-1])}\n{name}_sum{own} {float(amount[0])}\n"


@lru_cache(maxsize=8192)
def describe_labels(names: tuple[str, ...], values: Values) -> str:
    """Names and values between the braces, by name."""
    return ",".join(f'{name}="{_escape(value)}"' for name, value in sorted(zip(names, values, strict=False)))


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
