"""The dashboards as Grafana reads them, and their queries as it asks them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.monitoring.rules import PROMETHEUS

FOLDER = PROMETHEUS / "grafana" / "dashboards"
FILES = sorted(FOLDER.glob("*.json"))
PROVISIONING = PROMETHEUS / "grafana" / "provisioning"


@dataclass(frozen=True)
class Asked:
    """One query of one panel."""

    dashboard: str
    panel: dict[str, Any]
    target: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.dashboard}, {self.panel['title']}, {self.target['refId']}"

    @property
    def columns(self) -> list[str]:
        """The fields that a table shows; none for other panels."""
        return [
            name for step in self.panel.get("transformations", ()) for name in step["options"].get("renameByName", ())
        ]

    @property
    def is_instant(self) -> bool:
        return bool(self.target.get("instant"))


def load_dashboards() -> dict[str, dict[str, Any]]:
    """By the names of their files."""
    return {path.stem: json.loads(path.read_text()) for path in FILES}


def list_panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """Without the headings of rows."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def list_asked(source: str) -> Iterator[Asked]:
    """All queries for one data source."""
    for name, dashboard in load_dashboards().items():
        for panel in list_panels(dashboard):
            for target in panel["targets"]:
                if target["datasource"]["uid"] == source:
                    yield Asked(name, panel, target)


def fill_in(query: str, *, window: str = "5m", shown: str = "1h") -> str:
    """The query with Grafana's variables replaced; whoever looks has chosen all values of each of ours."""
    filled = query.replace("$__rate_interval", window).replace("$__range", shown)
    return re.sub(r"\$[a-z]+", ".*", filled)
