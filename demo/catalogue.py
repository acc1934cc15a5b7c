"""The demo's catalogue: ``fixtures/demo.json`` with this run's ids and ports put in."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

Rows: TypeAlias = list[dict[str, Any]]
Target: TypeAlias = dict[str, Any]

COMPUTE_FIELDS = ("endpoint_uuid", "function_uuid", "api_port", "relay")


@dataclass(frozen=True, slots=True)
class Models:
    """The demo's model ids, by what they show."""

    chat: str
    embedding: str
    premium: str

    def ids(self) -> list[str]:
        """All of them, the chat model first."""
        return [self.chat, self.embedding, self.premium]


def read_rows(path: Path) -> Rows:
    """The rows of a fixture."""
    rows: Rows = json.loads(path.read_text(encoding="utf-8"))
    return rows


def find_models(rows: Rows) -> Models:
    """Which model is which, told from the rows' rules and operations."""
    targets = [row["fields"]["targets"][0] for row in rows if "targets" in row["fields"]]
    premium = next(target["model"] for target in targets if target.get("allowed_globus_groups"))
    embedding = next(target["model"] for target in targets if target["operations"] == ["embeddings"])
    chat = next(target["model"] for target in targets if target["model"] not in (premium, embedding))
    return Models(chat, embedding, premium)


def with_compute(rows: Rows, *, endpoint_id: str, function_id: str, ports: Mapping[str, int]) -> Rows:
    """The rows with the ids and the ports, by model, of this run."""

    def fill(target: Target) -> Target:
        run = {"endpoint_uuid": endpoint_id, "function_uuid": function_id, "api_port": ports[target["model"]]}
        return {**target, **run}

    return _map_targets(rows, fill)


def with_simulation(rows: Rows) -> Rows:
    """The rows with the simulated backend behind every model."""

    def simulate(target: Target) -> Target:
        kept = {name: value for name, value in target.items() if name not in COMPUTE_FIELDS}
        return {**kept, "backend": "simulated"}

    return _map_targets(rows, simulate)


def _map_targets(rows: Rows, change: Callable[[Target], Target]) -> Rows:
    return [
        {**row, "fields": {**row["fields"], "targets": [change(target) for target in row["fields"]["targets"]]}}
        if "targets" in row["fields"]
        else row
        for row in rows
    ]
