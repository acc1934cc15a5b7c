"""Counters, gauges and histograms of one process: a dictionary lookup and an addition each, no lock.

Only the event loop's thread changes them; any thread may copy them. Label values come from the catalogue and fixed
words, never from a client.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import product
from typing import ClassVar

from resource_server.telemetry.busiest import OTHER, Busiest

Values = tuple[str, ...]
"""Of a series' labels, in their order."""
Amount = float | list[float]
"""Of a counter or gauge; of a histogram the sum, then how many fell in each bucket and not in those below."""


class Across(Enum):
    """What becomes of a gauge when several workers have it."""

    SUM = "added up"
    MAX = "the largest"
    HERE = "of the worker that answers"


@dataclass(frozen=True, slots=True)
class Label:
    """A label.

    Attributes:
        values: all that there are, where they are fixed; then every one of them is there from the start.
        busiest: the values that have a series of their own; the others share one.
    """

    name: str
    values: Sequence[str] = ()
    busiest: Busiest | None = None


@dataclass(frozen=True, kw_only=True)
class Series:
    """What is declared of a series.

    Attributes:
        name: as it is scraped, with its unit and ``_total``.
        help: a sentence, for the scrape and for ``docs/metrics.md``.
    """

    kind: ClassVar[str]

    name: str
    help: str
    labels: tuple[Label, ...] = ()

    def fixed_values(self) -> list[Values]:
        """The combinations that are there from the start: all, where every label's values are fixed."""
        return list(product(*(label.values for label in self.labels)))


@dataclass(frozen=True, kw_only=True)
class Counter(Series):
    """Counts events, or sums amounts; never goes down.

    Attributes:
        lasting: whether what workers counted that are gone still counts.
    """

    kind: ClassVar[str] = "counter"

    lasting: bool = True
    children: dict[Values, float] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        self.children.update(dict.fromkeys(self.fixed_values(), 0))

    def inc(self, *values: str, by: float = 1) -> None:
        """Add `by`."""
        children = self.children
        children[values] = children.get(values, 0) + by

    def copy(self) -> dict[Values, Amount]:
        """What there is now; any thread may ask."""
        return dict(self.children)


@dataclass(frozen=True, kw_only=True)
class Gauge(Series):
    """A value now: set here, or read from the parts by whoever publishes."""

    kind: ClassVar[str] = "gauge"

    across: Across = Across.SUM
    children: dict[Values, float] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        self.children.update(dict.fromkeys(self.fixed_values(), 0))

    def set(self, *values: str, to: float) -> None:
        """The value from now on."""
        self.children[values] = to

    def add(self, *values: str, by: float) -> None:
        """Change it by so much."""
        self.children[values] = self.children.get(values, 0) + by

    def copy(self) -> dict[Values, Amount]:
        """What there is now; any thread may ask."""
        return dict(self.children)


@dataclass(frozen=True, kw_only=True)
class Histogram(Series):
    """Counts observations by size.

    Attributes:
        buckets: upper bounds, ascending; one without a bound is always there.
        children: see `Amount`.
    """

    kind: ClassVar[str] = "histogram"

    buckets: tuple[float, ...]
    children: dict[Values, list[float]] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        self.children.update((values, self._empty()) for values in self.fixed_values())

    def observe(self, *values: str, amount: float) -> None:
        """Count one observation."""
        child = self.children.get(values)
        if child is None:
            values = self._limit(values)
            child = self.children.get(values)
            if child is None:
                child = self.children[values] = self._empty()
        child[bisect_left(self.buckets, amount) + 1] += 1
        child[0] += amount

    def forget(self, busiest: Busiest) -> None:
        """Drop what was counted by values that are no longer chosen."""
        kept = {*busiest.chosen, OTHER}
        for position in [position for position, label in enumerate(self.labels) if label.busiest is busiest]:
            for values in [values for values in self.children if values[position] not in kept]:
                del self.children[values]

    def copy(self) -> dict[Values, Amount]:
        """What there is now; any thread may ask."""
        return {values: child.copy() for values, child in self.children.copy().items()}

    def _empty(self) -> list[float]:
        return [0] * (len(self.buckets) + 2)

    def _limit(self, values: Values) -> Values:
        pairs = zip(self.labels, values, strict=True)
        return tuple(label.busiest.label(value) if label.busiest else value for label, value in pairs)


Reading = tuple[Counter | Gauge, Values, float]
"""A value that a part of the gateway keeps itself."""
Collector = Callable[[], Iterable[Reading]]
"""Reads a part's values; called in a thread, so it changes nothing that the event loop uses."""
