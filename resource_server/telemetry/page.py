"""What a worker tells the others: its counts as they stand, in a few kilobytes of JSON."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import orjson

from resource_server.telemetry.kinds import Across, Amount, Collector, Counter, Gauge, Histogram, Values
from resource_server.telemetry.libraries import LIBRARY_SERIES, read_libraries
from resource_server.telemetry.series import BUSIEST, SERIES

ALL_SERIES: Mapping[str, Counter | Gauge | Histogram] = {series.name: series for series in (*SERIES, *LIBRARY_SERIES)}


@dataclass(slots=True)
class Page:
    """The counts of one worker, or of several together.

    Attributes:
        series: by name and label values.
        busy: of each label that shows the busiest only, how often which value was noted.
    """

    series: dict[str, dict[Values, Amount]] = field(default_factory=dict)
    busy: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, other: "Page", *, is_alive: bool) -> None:
        """Take in what another worker counted; of one that is gone only what lasts."""
        for name, children in other.series.items():
            series = ALL_SERIES.get(name)  # a worker of another version may know others
            if series is not None and (is_alive or is_lasting(series)):
                _add_children(series, self.series.setdefault(name, {}), children)
        for name, counts in other.busy.items():
            mine = self.busy.setdefault(name, {})
            for value, count in counts.items():
                mine[value] = mine.get(value, 0) + count

    def encode(self) -> bytes:
        """As JSON; see `parse_page`."""
        return orjson.dumps([{name: list(children.items()) for name, children in self.series.items()}, self.busy])


def parse_page(data: bytes) -> Page:
    """The inverse of `Page.encode`. Raises `ValueError` for what no worker wrote."""
    try:
        series, busy = orjson.loads(data)
        return Page(
            {name: {tuple(values): amount for values, amount in rows} for name, rows in series.items()},
            {name: dict(counts) for name, counts in busy.items()},
        )
    except (AttributeError, TypeError, ValueError) as exc:
        raise ValueError(f"no page: {exc}") from exc


def take_page(collectors: Iterable[Collector], pid: str) -> Page:
    """What this process has counted, up to now. Blocks: it belongs in a thread."""
    page = Page(
        {series.name: series.copy() for series in SERIES}, {busiest.name: dict(busiest.counts) for busiest in BUSIEST}
    )
    page.series.update(read_libraries(pid))
    read_into(page, collectors)
    return page


def read_into(page: Page, collectors: Iterable[Collector]) -> None:
    """Put the collectors' readings on the page."""
    for collector in collectors:
        for series, values, amount in collector():
            page.series.setdefault(series.name, {})[values] = amount


def is_lasting(series: Counter | Gauge | Histogram) -> bool:
    """Whether what a worker counted stays when it is gone."""
    return series.lasting if isinstance(series, Counter) else isinstance(series, Histogram)


def _add_children(
    series: Counter | Gauge | Histogram, mine: dict[Values, Amount], others: Mapping[Values, Amount]
) -> None:
    is_largest = isinstance(series, Gauge) and series.across is not Across.SUM
    for values, amount in others.items():
        known = mine.get(values)
        if known is None:
            mine[values] = amount
        elif isinstance(known, list) and isinstance(amount, list):
            if len(known) == len(amount):
                mine[values] = [a + b for a, b in zip(known, amount, strict=True)]
        elif not isinstance(known, list) and not isinstance(amount, list):
            mine[values] = max(known, amount) if is_largest else known + amount
