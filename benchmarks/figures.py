"""The bounds that the project set itself, and what a run says about each."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.statistics import ratio

Figures = Mapping[str, Mapping[str, float]]
"""Target → figure → value."""

MOCK = "mock directly"
GATEWAY = "gateway, openai_http"
SIMULATED = "gateway, simulated"
BARE = "ninja + aiohttp, hop-free"
"""Django's handler without its hops: what the bounds are multiples of."""

_SMALL = 10


@dataclass(frozen=True, slots=True)
class Verdict:
    """One figure beside its bound.

    Attributes:
        value: `None` where it was not measured.
        bound: the most that it may be; with `at_least`, the least.
    """

    name: str
    value: float | None
    bound: float
    unit: str
    at_least: bool = False

    @property
    def digits(self) -> int:
        """How many decimals tell something."""
        return 2 if self.bound < _SMALL else 0

    @property
    def is_within(self) -> bool | None:
        """Whether the bound holds; `None` where nothing was measured."""
        if self.value is None or math.isnan(self.value):
            return None
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def describe(self) -> str:
        """``within``, ``over by 12 %`` or ``not measured``."""
        within = self.is_within
        if within is None or self.value is None:
            return "not measured"
        if within:
            return "within"
        off = abs(self.value - self.bound) / self.bound
        return f"{'short' if self.at_least else 'over'} by {off:.0%}"


def judge_http(figures: Figures) -> list[Verdict]:
    """The bounds of the HTTP part."""
    gateway, bare = figures.get(GATEWAY, {}), figures.get(BARE, {})
    request, event = gateway.get("cpu_us_per_request"), gateway.get("cpu_us_per_event")
    to_bare = "/ bare Ninja + aiohttp view"
    return [
        Verdict("governed request, CPU at 64", request, 700, "µs"),
        Verdict(f"governed request {to_bare}", ratio(request, bare.get("cpu_us_per_request")), 1.4, "x"),
        Verdict("added latency at 1, p50", gateway.get("added_p50_ms"), 1.2, "ms"),
        Verdict("SSE event, CPU, 100 paced streams", event, 80, "µs"),
        Verdict(f"SSE event {to_bare}", ratio(event, bare.get("cpu_us_per_event")), 1.3, "x"),
        Verdict("500 streams, complete", gateway.get("streams_complete"), 500, "", at_least=True),
        Verdict("500 streams, byte-equal", gateway.get("streams_equal"), 500, "", at_least=True),
        Verdict("RSS of a worker, idle", gateway.get("rss_idle_mb"), 140, "MB"),
        Verdict("RSS of a worker, 500 streams", gateway.get("rss_streams_mb"), 230, "MB"),
    ]


def judge_tasks(figures: Figures) -> list[Verdict]:
    """The bounds of the part with tasks."""
    ours = figures.get("backend, 1 endpoint, 50/s", {})
    return [
        Verdict("submit to first streamed token, p50", figures.get("first token", {}).get("p50_ms"), 60, "ms"),
        Verdict("tasks at 50/s, one endpoint, p50", ours.get("p50_ms"), 600, "ms"),
        Verdict("tasks at 50/s, one endpoint, p95", ours.get("p95_ms"), 1000, "ms"),
    ]
