"""States are named in one place: whoever publishes one takes it from `domain.states`."""

import ast
from collections.abc import Iterator
from pathlib import Path

from resource_server.domain.states import ModelState

ROOT = Path(__file__).parents[2]
# Beside the vocabulary: the words of status functions, the error's code, the status of an endpoint, the public status's
# member that tells of the window (and the page that reads it), the column in the admin pages.
ELSEWHERE = {
    ("resource_server/admin/cluster.py", "maintenance"),
    ("resource_server/domain/cluster_report.py", "hot"),
    ("resource_server/domain/cluster_report.py", "queued"),
    ("resource_server/domain/cluster_report.py", "starting"),
    ("resource_server/domain/errors.py", "maintenance"),
    ("resource_server/services/models.py", "offline"),
    ("resource_server/services/public_status.py", "maintenance"),
    ("resource_server/ui/content.py", "maintenance"),
}


def list_named_states() -> Iterator[tuple[str, str]]:
    words = set(ModelState)
    for path in (ROOT / "resource_server").rglob("*.py"):
        if "migrations" in path.parts or path.name == "states.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in words:
                yield str(path.relative_to(ROOT)), node.value


def test_no_other_module_spells_a_state() -> None:
    assert set(list_named_states()) == ELSEWHERE


def test_client_guide_explains_every_state() -> None:
    guide = (ROOT / "docs" / "client-guide.md").read_text()
    rows = [line for line in guide.splitlines() if line.startswith(tuple(f"| `{state}` |" for state in ModelState))]
    assert [row.split("`")[1] for row in rows] == list(ModelState)
