"""From our words to Grafana's JSON (schema version 39, Grafana 10 and later)."""

import json
from collections.abc import Iterator, Sequence
from string import ascii_uppercase
from typing import Any

from scripts.dashboards.panels import COLUMNS, STATES, Dashboard, Kind, Panel, Query, Row, Source, Variable

_TYPES = {Source.PROMETHEUS: "prometheus", Source.REQUEST_LOG: "grafana-postgresql-datasource"}
_TAG = "inference-gateway"
_ROW_HEIGHT = 1
_INSTANT = {Kind.STAT, Kind.BARS, Kind.TABLE}


def render(dashboard: Dashboard) -> str:
    """The file for ``dashboards/``."""
    document = {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.question,
        "tags": [_TAG],
        "schemaVersion": 39,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "links": [
            {
                "type": "dashboards",
                "title": "Gateway dashboards",
                "tags": [_TAG],
                "asDropdown": True,
                "includeVars": False,
                "keepTime": True,
            }
        ],
        "templating": {"list": [_variable(variable) for variable in dashboard.variables]},
        "annotations": {"list": []},
        "panels": list(_panels(dashboard.rows)),
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _panels(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """All panels with their places in the grid; ids count from 1."""
    number, top = 1, 0
    for row in rows:
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "panels": [],
            "gridPos": {"x": 0, "y": top, "w": COLUMNS, "h": _ROW_HEIGHT},
        }
        number, top = number + 1, top + _ROW_HEIGHT
        for x, y, panel in place(row.panels):
            yield _panel(panel, number, {"x": x, "y": top + y, "w": panel.width, "h": panel.height})
            number += 1
        top += max((y + panel.height for _x, y, panel in place(row.panels)), default=0)


def place(panels: Sequence[Panel]) -> Iterator[tuple[int, int, Panel]]:
    """Where each panel stands below its row's heading."""
    x, y, line_height = 0, 0, 0
    for panel in panels:
        if x + panel.width > COLUMNS:
            x, y, line_height = 0, y + line_height, 0
        yield x, y, panel
        x, line_height = x + panel.width, max(line_height, panel.height)


def _panel(panel: Panel, number: int, position: dict[str, int]) -> dict[str, Any]:
    source = panel.queries[0].source
    document: dict[str, Any] = {
        "id": number,
        "type": panel.kind.value,
        "title": panel.title,
        "description": panel.question,
        "datasource": _datasource(source),
        "gridPos": position,
        "targets": [
            _target(query, letter, panel.kind) for query, letter in zip(panel.queries, ascii_uppercase, strict=False)
        ],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": _overrides(panel)},
        "options": _options(panel),
    }
    if panel.columns:
        document["transformations"] = _organize(panel)
    return document


def _datasource(source: Source) -> dict[str, str]:
    return {"type": _TYPES[source], "uid": source.value}


def _target(query: Query, letter: str, kind: Kind) -> dict[str, Any]:
    common = {"refId": letter, "datasource": _datasource(query.source)}
    if query.source is Source.REQUEST_LOG:
        # Grafana takes rows for a time series only where they have a column of times.
        form = "time_series" if kind is Kind.TIME_SERIES else "table"
        return {**common, "rawQuery": True, "editorMode": "code", "rawSql": query.text, "format": form}
    is_instant = kind in _INSTANT
    form = "table" if kind is Kind.TABLE else "time_series"
    return {
        **common,
        "expr": query.text,
        "legendFormat": query.legend or "__auto",
        "instant": is_instant,
        "range": not is_instant,
        "format": form,
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    good, bad = ("red", "green") if panel.is_bad_below else ("green", "red")
    steps: list[dict[str, Any]] = [{"color": good if panel.limit is not None else "blue", "value": None}]
    if panel.limit is not None:
        steps.append({"color": bad, "value": panel.limit})
    defaults: dict[str, Any] = {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}}
    if panel.kind in {Kind.TIME_SERIES, Kind.BARS}:
        defaults["min"] = 0
    if panel.maximum is not None:
        defaults["max"] = panel.maximum
    if panel.kind is Kind.STATES:
        defaults["mappings"] = [_map_states()]
    if panel.kind is Kind.TIME_SERIES:
        defaults["color"] = {"mode": "palette-classic"}
        defaults["custom"] = {
            "lineWidth": 1,
            "fillOpacity": 30 if panel.is_stacked else 8,
            "showPoints": "never",
            "stacking": {"mode": "normal" if panel.is_stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "off" if panel.limit is None else "dashed"},
        }
    elif panel.kind in {Kind.STAT, Kind.BARS}:
        defaults["color"] = {"mode": "thresholds"}
    return defaults


def _map_states() -> dict[str, Any]:
    """What the numbers that stand for states are called, and coloured."""
    options = {str(number): {"text": text, "color": color} for number, (text, color) in enumerate(STATES.items(), 1)}
    return {"type": "value", "options": options}


def _overrides(panel: Panel) -> list[dict[str, Any]]:
    properties = [(name, "unit", unit) for name, unit in panel.units.items()]
    colours = [(name, {"mode": "fixed", "fixedColor": colour}) for name, colour in panel.colours.items()]
    return [
        {"matcher": {"id": "byName", "options": name}, "properties": [{"id": kind, "value": value}]}
        for name, kind, value in (*properties, *((name, "color", colour) for name, colour in colours))
    ]


def _organize(panel: Panel) -> list[dict[str, Any]]:
    """The fields that a table shows, in their order, under their names."""
    merge = [{"id": "merge", "options": {}}] if len(panel.queries) > 1 else []
    organize = {
        "includeByName": dict.fromkeys(panel.columns, True),
        "indexByName": {name: position for position, name in enumerate(panel.columns)},
        "renameByName": dict(panel.columns),
    }
    return [*merge, {"id": "organize", "options": organize}]


def _options(panel: Panel) -> dict[str, Any]:
    last = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    by_kind: dict[Kind, dict[str, Any]] = {
        Kind.TIME_SERIES: {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        Kind.STAT: {"reduceOptions": last, "colorMode": "value", "graphMode": "none", "textMode": "auto"},
        Kind.BARS: {"reduceOptions": last, "orientation": "horizontal", "displayMode": "gradient"},
        Kind.TABLE: {"showHeader": True, "cellHeight": "sm"},
        Kind.STATES: {"showValue": "never", "mergeValues": True, "rowHeight": 0.8, "legend": {"showLegend": True}},
    }
    return by_kind[panel.kind]


def _variable(variable: Variable) -> dict[str, Any]:
    query = f"label_values({variable.metric}, {variable.label})"
    return {
        "name": variable.name,
        "label": variable.title,
        "type": "query",
        "datasource": _datasource(Source.PROMETHEUS),
        "definition": query,
        "query": {"query": query, "refId": variable.name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }
