"""What `scripts/bootstrap.sh` says where it cannot go on. That it goes on elsewhere, every `make test` shows."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

BOOTSTRAP = Path(__file__).parents[2] / "scripts" / "bootstrap.sh"


def bootstrap(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [shutil.which("sh") or "sh", str(BOOTSTRAP), *arguments]
    return subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=False)


def test_without_a_python_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "dirname").symlink_to(shutil.which("dirname") or "dirname")
    done = bootstrap("dev", PATH=str(tmp_path), PYTHON="")
    assert done.returncode == 1
    assert "Install one" in done.stderr


def test_old_python_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "dirname").symlink_to(shutil.which("dirname") or "dirname")
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")  # its answer to "are you new enough?"
    old.chmod(0o755)
    assert "No Python 3.11" in bootstrap("dev", PATH=str(tmp_path), PYTHON="").stderr


def test_unknown_set_is_refused() -> None:
    done = bootstrap("production", PYTHON=sys.executable)
    assert done.returncode == 2
    assert "runtime|demo|tracing|dev" in done.stderr
