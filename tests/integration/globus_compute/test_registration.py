"""The registration scripts as a person meets them: help, wrong arguments, and failures that say what to do."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.globus_cloud import GlobusCloud
from tests.integration.globus_compute.conftest import FUNCTIONS, UUID_FILE, run_registration, sdk_environment
from tests.servers.process import find_free_port

SCRIPTS = {
    "vllm_register_function.py": UUID_FILE,
    "qstat_register_function.py": "qstat_register_function.txt",
    "squeue_register_function.py": "squeue_register_function.txt",
}


def run(folder: Path, environment: dict[str, str], *command: str) -> "subprocess.CompletedProcess[str]":
    """A script with arguments or with an interpreter of its own."""
    whole = [sys.executable, *command]
    return subprocess.run(whole, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(("script", "uuid_file"), SCRIPTS.items())
def test_help_says_what_it_needs_and_registers_nothing(
    globus: GlobusCloud, tmp_path: Path, script: str, uuid_file: str
) -> None:
    done = run(tmp_path, sdk_environment(globus), str(FUNCTIONS / script), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    told = ["GLOBUS_COMPUTE_CLIENT_ID", "GLOBUS_COMPUTE_CLIENT_SECRET", "GLOBUS_COMPUTE_SERVICE_URL", uuid_file]
    assert [name for name in told if name not in done.stdout] == []
    assert list(tmp_path.iterdir()) == []


def test_argument_that_is_not_known_registers_nothing(globus: GlobusCloud, tmp_path: Path) -> None:
    done = run(tmp_path, sdk_environment(globus), str(FUNCTIONS / "vllm_register_function.py"), "--dry-run")
    assert done.returncode == 2
    assert "--dry-run" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_network_that_is_down_is_told_as_such(globus: GlobusCloud, tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{find_free_port()}"
    done = run_registration(tmp_path, {**sdk_environment(globus), "GLOBUS_SDK_SERVICE_URL_AUTH": nowhere})
    assert (done.returncode, done.stdout) == (1, "")
    assert "Globus cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr


def test_uuid_that_cannot_be_stored_is_printed(globus: GlobusCloud, tmp_path: Path) -> None:
    (tmp_path / UUID_FILE).mkdir()
    done = run_registration(tmp_path, sdk_environment(globus))
    assert done.returncode == 1
    assert done.stdout.startswith("Function registered with UUID - ")
    assert "The UUID could not be stored, write it down" in done.stderr


def test_missing_sdk_is_named(globus: GlobusCloud, tmp_path: Path) -> None:
    done = run(tmp_path, sdk_environment(globus), "-S", str(FUNCTIONS / "vllm_register_function.py"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "pip install globus-compute-sdk" in done.stderr
