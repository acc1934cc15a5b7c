"""A copy of the project in which a demo runs as for a newcomer: no home, no settings, its own folder."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from demo.ports import pick_free_port

ROOT = Path(__file__).parents[2]
PARTS = ("demo", "globus_local", "inference_gateway", "resource_server", "fixtures", "compute-functions", "manage.py")
READY_WAIT_S = 100.0
END_WAIT_S = 10.0


class DemoClone:
    """One clone; at most one demo of it is started at a time.

    Args:
        folder: an empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = pick_free_port()
        self.output = folder / "output.txt"
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.txt"))
            else:
                shutil.copy(source, folder)

    def start(self, *arguments: str, **environ: str) -> "subprocess.Popen[bytes]":
        """Start a demo; its output goes to `output`."""
        settings = {"PATH": os.environ["PATH"], "DEMO_PORT": str(self.port), **environ}
        with self.output.open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "demo", *arguments],
                cwd=self.folder,
                env=settings,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def slow_down(self) -> None:
        """Let simulated models of this clone take twenty seconds for two thousand tokens."""
        path = self.folder / "fixtures" / "demo.json"
        rows = json.loads(path.read_text(encoding="utf-8"))
        for row in rows:
            for target in row["fields"].get("targets", []):
                target.update(output_tokens=2000, token_interval_ms=10)
        path.write_text(json.dumps(rows), encoding="utf-8")

    def wait_until_ready(self, process: "subprocess.Popen[bytes]") -> Mapping[str, Any]:
        """The state of the demo once it has written it."""
        path = self.folder / ".demo" / "state.json"
        give_up_at = time.monotonic() + READY_WAIT_S
        while not path.exists():
            assert process.poll() is None, self.output.read_text(encoding="utf-8")
            assert time.monotonic() < give_up_at, self.output.read_text(encoding="utf-8")
            time.sleep(0.05)
        state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return state

    def processes(self) -> list[str]:
        """The command lines of everything that runs in this folder."""
        return [command for _, command in self._find_processes()]

    def wait_until_gone(self, wait_s: float) -> list[str]:
        """What still runs here after at most `wait_s` seconds; empty is what one wants."""
        give_up_at = time.monotonic() + wait_s
        while (left := self.processes()) and time.monotonic() < give_up_at:
            time.sleep(0.05)
        return left

    def kill_all(self) -> None:
        """Leave nothing behind, whatever a test has found."""
        for pid, _ in self._find_processes():
            os.kill(pid, signal.SIGKILL)

    def _find_processes(self) -> Iterator[tuple[int, str]]:
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                is_here = (entry / "cwd").readlink().is_relative_to(self.folder)
                command = (entry / "cmdline").read_text(encoding="utf-8").replace("\0", " ")
            except OSError:  # ended meanwhile, or another user's
                continue
            if is_here:
                yield int(entry.name), command
