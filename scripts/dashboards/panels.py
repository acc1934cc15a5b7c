"""What a dashboard is made of, in our own words: rows of panels, each with a question and queries that answer it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

COLUMNS = 24
"""Grafana's grid."""
DEFAULT_HEIGHT = 7
STATES = {
    "cold": "blue",
    "queued": "purple",
    "starting": "yellow",
    "hot": "green",
    "maintenance": "orange",
    "offline": "red",
}
"""Of models, with their colours; in a panel of the kind `Kind.STATES` the first is 1, the second 2, and so on."""


class Source(StrEnum):
    """The data sources of ``provisioning/datasources``, by uid."""

    PROMETHEUS = "prometheus"
    REQUEST_LOG = "request-log"


class Kind(StrEnum):
    """The panels that we use, by Grafana's names."""

    TIME_SERIES = "timeseries"
    STAT = "stat"
    BARS = "bargauge"
    TABLE = "table"
    STATES = "state-timeline"


@dataclass(frozen=True, slots=True)
class Query:
    """One query; `legend` is a template of its labels. SQL where `source` is the request log."""

    text: str
    legend: str = ""
    source: Source = Source.PROMETHEUS


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Attributes:
        title: a few words.
        question: what the panel answers; shown as its description.
        unit: one of Grafana's unit ids.
        width: in columns.
        limit: where the colour changes from good to bad; `None` for panels that judge nothing.
        is_bad_below: whether values under `limit` are the bad ones.
        is_stacked: whether the series of a time series are piled up.
        columns: of a table: what each field is called, in their order; fields that are not named are left out.
        units: of a table: the units of columns, by their shown names.
        colours: of series that mean good or bad, by their legends; the others get what comes next.
    """

    title: str
    question: str
    queries: tuple[Query, ...]
    kind: Kind = Kind.TIME_SERIES
    unit: str = "short"
    width: int = 8
    height: int = DEFAULT_HEIGHT
    limit: float | None = None
    is_bad_below: bool = False
    is_stacked: bool = False
    maximum: float | None = None
    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    units: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    colours: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading, from left to right, wrapped where a line is full."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice at the top of the dashboard: the values of one label; all of them until somebody chooses."""

    name: str
    metric: str
    label: str
    title: str


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard; `uid` is its file's name and its address in Grafana."""

    uid: str
    title: str
    question: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()


def chart(title: str, question: str, *queries: Query, **options: Any) -> Panel:
    """A time series, which is what most panels are; `options` are the panel's further fields."""
    return Panel(title, question, queries, **options)


def number(title: str, question: str, text: str, **options: Any) -> Panel:
    """One number, as it is now; `options` as for `chart`."""
    return Panel(title, question, (Query(text),), Kind.STAT, **({"width": 4, "height": 4} | options))
