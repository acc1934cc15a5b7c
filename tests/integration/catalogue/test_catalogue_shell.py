"""``manage.py catalogue`` in a shell: exit statuses that a pipeline decides by, on SQLite."""

import os
import subprocess
import sys
from pathlib import Path

from tests.integration.catalogue.files import ROOT, SMALL, write


def run(data: Path, *arguments: object, answer: str = "") -> "subprocess.CompletedProcess[str]":
    environment = {"DJANGO_SETTINGS_MODULE": "inference_gateway.settings", "DEBUG": "True", "PGHOST": ""}
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *map(str, arguments)],
        env=os.environ | environment | {"GATEWAY_DATA_DIR": str(data)},
        input=answer,
        capture_output=True,
        text=True,
        check=False,
    )


def test_exit_status_tells_changes_from_none_and_from_mistakes(tmp_path: Path) -> None:
    path = write(tmp_path, SMALL)
    assert run(tmp_path, "migrate", "-v0").returncode == 0
    planned = run(tmp_path, "catalogue", "plan", path)
    assert (planned.returncode, "3 to create" in planned.stdout) == (2, True)
    fingerprint = planned.stdout.rpartition("Fingerprint: ")[2].strip()
    applied = run(tmp_path, "catalogue", "apply", path, "--expect", fingerprint, answer="yes\n")
    assert (applied.returncode, applied.stderr) == (0, "")
    assert run(tmp_path, "catalogue", "plan", path).returncode == 0
    mistaken = run(tmp_path, "catalogue", "plan", "--prun")
    assert (mistaken.returncode, "usage:" in mistaken.stderr) == (1, True)
