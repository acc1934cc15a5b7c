"""An upgrade from the releases before keeps every row, and so does the way back."""

import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.gateway import ROOT

pytestmark = pytest.mark.timeout(180)
WALK = "from tests.deploy.release_steps import walk; walk()"


def test_rows_of_the_first_release_outlive_upgrades_and_rollbacks(
    create_database: Callable[[], dict[str, str]],
) -> None:
    environment = {
        **os.environ,
        **create_database(),
        "DJANGO_SETTINGS_MODULE": "inference_gateway.settings",
        "DEBUG": "True",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, str(ROOT / "manage.py"), "shell", "--no-imports", "-c", WALK]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    assert [step["at"] for step in steps] == [
        "first",
        "previous",
        "this",
        "previous, back",
        "first, back",
        "this, again",
    ]
    assert all(rows for table, rows in steps[0]["rows"].items() if not table.startswith("resource_server_user_"))
    assert [step["at"] for step in steps if step["rows"] != steps[0]["rows"]] == []
