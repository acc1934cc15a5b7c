"""A job that serves models by `serve_models.py`, with real servers as frameworks."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.servers.process import find_free_port

KINDS = Path(__file__).parents[2] / "compute-endpoints"
MARKER = "All models started successfully."
SERVER = [sys.executable, str(Path(__file__).with_name("openai_server.py"))]
SERVER += ["--model", "{model}", "--port", "{port}", "--host", "{host}"]
DEADLINE_S = 40
"""For what takes a second on a machine at rest."""


@dataclass
class Job:
    """What a job is given and what it says. `mark` is in the environment of all its processes."""

    folder: Path
    models: list[dict[str, Any]]
    settings: dict[str, Any] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: f"JOB_OF_TEST={uuid.uuid4().hex}")

    @property
    def config(self) -> str:
        """What ``serve_models.py`` gets."""
        return json.dumps({"command": SERVER, "pause_s": 0.05, "models": self.models, **self.settings})

    @property
    def status_file(self) -> Path:
        return self.folder / "job.log"

    @property
    def environment(self) -> dict[str, str]:
        name, _, value = self.mark.partition("=")
        return {**os.environ, name: value}

    @property
    def status(self) -> list[str]:
        """The lines of the status file."""
        return self.status_file.read_text().splitlines() if self.status_file.exists() else []

    @property
    def is_serving(self) -> bool:
        return self.status[:1] == [MARKER]

    @property
    def output(self) -> str:
        return (self.folder / "output").read_text()

    @property
    def complaints(self) -> str:
        return (self.folder / "errors").read_text()

    def build_command(self, *options: str) -> list[str]:
        return [sys.executable, str(KINDS / "serve_models.py"), *options, self.config]

    def start(self, *command: str) -> "subprocess.Popen[bytes]":
        """Run the launcher, or another `command` that starts it."""
        launch = list(command) or self.build_command("--status-file", str(self.status_file))
        with (self.folder / "output").open("wb") as output, (self.folder / "errors").open("wb") as errors:
            return subprocess.Popen(
                launch, cwd=self.folder, env=self.environment, stdout=output, stderr=errors, start_new_session=True
            )

    @contextmanager
    def running(self, *command: str) -> "Iterator[subprocess.Popen[bytes]]":
        """The same until the context ends; then everything of the job is killed."""
        process = self.start(*command)
        try:
            yield process
        finally:
            for pid in self.find_processes():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait(DEADLINE_S)

    def find_processes(self) -> list[int]:
        """All processes of the job that have not ended."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it ended meanwhile, or belongs to somebody else; a zombie has no environment
                if self.mark.encode() in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
        return found

    def get(self, model: int, path: str) -> dict[str, Any]:
        """What the server of a model answers."""
        url = f"http://127.0.0.1:{self.models[model]['port']}{path}"
        document: dict[str, Any] = requests.get(url, timeout=DEADLINE_S).json()
        return document

    def find_pid(self, model: int) -> int:
        """The process of a model's server."""
        return int(self.get(model, "/health")["pid"])


def build_model(name: str, **fields: Any) -> dict[str, Any]:
    return {"model": name, "port": find_free_port(), **fields}


def await_until(is_so: Callable[[], object], timeout_s: float = DEADLINE_S) -> None:
    """Return when `is_so` does; fail after `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.02)
