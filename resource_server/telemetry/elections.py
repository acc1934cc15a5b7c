"""The workers' agreement on which models and clusters have series of their own."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from resource_server.telemetry.busiest import OTHER, Busiest, elect
from resource_server.telemetry.folder import write_whole
from resource_server.telemetry.kinds import Amount, Histogram, Values
from resource_server.telemetry.page import ALL_SERIES, Page

TERM_S = 300.0
"""How long those who were elected keep their series, whatever happens."""


@dataclass(slots=True)
class Election:
    """The last one of a label: when it was (POSIX seconds), who won, and how busy everybody had been until then."""

    at: float = 0.0
    chosen: set[str] = field(default_factory=set)
    counts: Mapping[str, int] = field(default_factory=dict)


class Elections:
    """Held by whichever worker gathers, kept in a file beside the pages."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock

    def read(self) -> dict[str, Election]:
        """The last election of each label that had one."""
        try:
            document = orjson.loads(self._path.read_bytes())
            return {name: Election(at, set(chosen), dict(counts)) for name, (at, chosen, counts) in document.items()}
        except (FileNotFoundError, AttributeError, TypeError, ValueError):
            return {}

    def hold(self, page: Page, busiest: Busiest) -> None:
        """Elect where it is time, and leave on the page only what the elected counted, and what is shared."""
        held = self.read()
        election = held.get(busiest.name)
        if election is None and len(_named(page, busiest)) <= busiest.limit:
            return
        election = election or Election()
        now, counts = self._clock(), page.busy.get(busiest.name, {})
        if now - election.at >= TERM_S:
            chosen = elect(counts, election.counts, election.chosen, busiest.limit)
            election = held[busiest.name] = Election(now, chosen, counts)
            document = {name: [one.at, sorted(one.chosen), one.counts] for name, one in held.items()}
            with suppress(OSError):  # a full disk: they are elected again at the next scrape
                write_whole(self._path, orjson.dumps(document))
        for children, position in _children(page, busiest):
            for values in [values for values in children if values[position] not in {*election.chosen, OTHER}]:
                del children[values]


def adopt(elected: Mapping[str, Election], busiest: Busiest) -> None:
    """Count by name what was elected, and nothing else, from now on; runs where things are counted."""
    election = elected.get(busiest.name)
    if election is None or election.chosen == busiest.chosen:
        return
    busiest.chosen = set(election.chosen)
    for series in ALL_SERIES.values():
        if isinstance(series, Histogram):
            series.forget(busiest)


def _children(page: Page, busiest: Busiest) -> list[tuple[dict[Values, Amount], int]]:
    """What the page holds of histograms with this label, and where in their values it is."""
    return [
        (page.series[series.name], position)
        for series in ALL_SERIES.values()
        for position, label in enumerate(series.labels)
        if label.busiest is busiest and series.name in page.series
    ]


def _named(page: Page, busiest: Busiest) -> set[str]:
    """Everything that has a series of its own on the page."""
    return {values[position] for children, position in _children(page, busiest) for values in children} - {OTHER}
