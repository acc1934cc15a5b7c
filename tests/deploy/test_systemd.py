"""The units: systemd reads them, and they name what is there."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "deploy" / "systemd").iterdir())
DRAIN_S = 930
"""DRAIN_S as it is by default, and the last words after it."""


def read_values(unit: str, key: str) -> list[str]:
    """All values of a key."""
    text = (ROOT / "deploy" / "systemd" / unit).read_text()
    return re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd")
@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_understands_the_unit(tmp_path: Path, unit: Path) -> None:
    installed = tmp_path / "opt"
    for program in (".venv/bin/gunicorn", ".venv/bin/python"):
        path = installed / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    for path in UNITS:
        text = path.read_text().replace("/opt/inference-gateway", str(installed))
        (tmp_path / path.name).write_text(text)
    environment = {**os.environ, "SYSTEMD_LOG_LEVEL": "warning", "SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
    command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(tmp_path / unit.name)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if unit.name in line]) == (0, []), done.stderr


def test_gateway_has_time_to_drain() -> None:
    assert int(read_values("inference-gateway.service", "TimeoutStopSec")[0]) > DRAIN_S
    assert read_values("inference-gateway.service", "KillMode") == ["mixed"]


@pytest.mark.parametrize("unit", [path.name for path in UNITS if path.suffix == ".service"])
def test_service_is_an_ordinary_users_and_may_little(unit: str) -> None:
    assert read_values(unit, "User") == ["inference"]
    assert read_values(unit, "NoNewPrivileges") == ["yes"]
    assert read_values(unit, "ProtectSystem") == ["strict"]
    assert read_values(unit, "CapabilityBoundingSet") == [""]


def test_what_is_started_is_in_the_repository() -> None:
    started = " ".join(
        line for path in UNITS for line in re.findall(r"^ExecStart=(.*)$", path.read_text(), re.MULTILINE)
    )
    scripts = re.findall(r"(\S+\.py)\b", started)
    assert set(scripts) == {"manage.py", "deploy/backup/gateway_backup.py"}
    assert all((ROOT / script).exists() for script in scripts)
    assert (ROOT / "resource_server/management/commands/run_controller.py").exists()
