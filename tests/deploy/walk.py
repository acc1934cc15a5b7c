"""An operator who follows the guide for bare metal, command by command, on a machine that has nothing yet."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from inference_gateway.environment import KEYS
from scripts.rules import tracked_files
from tests.deploy.guide import read_blocks
from tests.deploy.nginx import BARE_MAIN, PROGRAM, ROOT
from tests.servers.process import Process

GUIDE = ROOT / "docs" / "operator-bare-metal.md"
BASH = shutil.which("bash") or "bash"
_OWN = {name for key in KEYS for name in (key.name, *key.older)} | {
    "DJANGO_SETTINGS_MODULE",
    "PYTHONPATH",
    "VIRTUAL_ENV",
}
"""Variables of the tests: what the operator's gateway knows, it has from .env."""


class Operator:
    """Runs the guide's blocks in a checkout of their own.

    Args:
        folder: an empty folder: the machine.
        superuser: the way into PostgreSQL as its superuser.
    """

    def __init__(self, folder: Path, superuser: str) -> None:
        self.folder = folder
        self.checkout = folder / "inference-gateway"
        self.nginx = folder / "etc" / "nginx"
        self._blocks = read_blocks(GUIDE)
        self._programs = folder / "bin"
        self._prepare(superuser)

    def block(self, name: str, replacements: Mapping[str, str] | None = None) -> str:
        """One block's text, with the machine's own values."""
        text = self._blocks.pop(name)
        for shipped, own in (replacements or {}).items():
            assert shipped in text, shipped
            text = text.replace(shipped, own)
        return text

    @property
    def unread(self) -> set[str]:
        """Blocks that have not been asked for."""
        return set(self._blocks)

    def run(self, commands: str, **variables: str) -> str:
        """Run commands in the checkout, the first that fails ends it; returns what they print."""
        done = subprocess.run(
            [BASH, "-c", self._script(commands)],
            cwd=self.checkout,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def start(self, name: str, command: str) -> Process:
        """Start one command that goes on until it is told to stop."""
        script = self._script(f"exec {command}")
        return Process([BASH, "-c", script], self.folder / f"{name}.log", cwd=self.checkout, env=self.environment)

    @property
    def environment(self) -> dict[str, str]:
        """The operator's own."""
        kept = {name: value for name, value in os.environ.items() if name not in _OWN}
        return {**kept, "PATH": f"{self._programs}{os.pathsep}{kept['PATH']}{os.pathsep}{Path(PROGRAM).parent}"}

    def _script(self, commands: str) -> str:
        return f"set -euo pipefail\n[ ! -e .venv ] || source .venv/bin/activate\n{commands}"

    def _prepare(self, superuser: str) -> None:
        for path in tracked_files(ROOT):
            target = self.checkout / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        (self.nginx / "sites-available").mkdir(parents=True)
        (self.nginx / "sites-enabled").mkdir()
        (self.nginx / "nginx.conf").write_text(BARE_MAIN.replace("conf.d", "sites-enabled"))
        self._programs.mkdir()
        self._install("python3", str(Path(sys.base_prefix) / "bin" / "python3"))
        self._install("sudo", sys.executable, str(ROOT / "tests/deploy/fresh_machine.py"), str(self.folder), superuser)

    def _install(self, name: str, *command: str) -> None:
        program = self._programs / name
        program.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        program.chmod(0o755)
