"""A gateway process for tests: the product as it is served, with the detector of blocking calls switched on."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests

from tests.globus_cloud import GlobusCloud
from tests.servers.process import Process, Server, ServerFailed, find_free_port

ROOT = Path(__file__).resolve().parent.parent


def build_environment(globus: GlobusCloud, data_dir: Path, **variables: str) -> dict[str, str]:
    """The environment of a gateway that trusts the local Globus cloud; without more, on SQLite and alone."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "inference_gateway.settings",
        "DEBUG": "True",
        "DRAIN_S": "5",  # a stop waits for streams that never end
        "GATEWAY_DATA_DIR": str(data_dir),
        "PGHOST": "",
        "REDIS_URL": "",
        **globus.environment(),
        "PYTHONPATH": str(ROOT),
        **variables,
    }


class GatewayServer(Server):
    """One gateway at ``base_url``; `manage` runs its operator's commands."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        super().__init__()
        self.port = find_free_port()
        self.base_url = f"http://127.0.0.1:{self.port}/resource_server"
        self._folder = folder
        self.environment = dict(environment)
        self.environment["RELAY_BASE_URL"] = f"{self.base_url}/relay"

    @property
    def log(self) -> str:
        """What the gateway has said so far."""
        path = self._folder / "gateway.log"
        return path.read_text() if path.exists() else ""

    @property
    def pid(self) -> int:
        """The process id. Raises `ServerFailed` before it was started."""
        if self._process is None:
            raise ServerFailed("the gateway was not started")
        return self._process.pid

    def wait_stopped(self, timeout_s: float = 60) -> None:
        """Return when the process has ended, however. Raises `ServerFailed` after `timeout_s` seconds."""
        if self._process is not None:
            self._process.wait_ended(timeout_s)

    def manage(self, *arguments: str) -> str:
        """Run ``manage.py`` and return its output. Raises `ServerFailed` with what it said."""
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        done = subprocess.run(command, env=self.environment, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise ServerFailed(f"manage.py {' '.join(arguments)}:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
        return done.stdout

    def load(self, rows: Sequence[Mapping[str, Any]], name: str = "rows") -> None:
        """Load fixture rows."""
        path = self._folder / f"{name}.json"
        path.write_text(json.dumps(rows))
        self.manage("loaddata", str(path))

    def _spawn(self) -> Process:
        command = [sys.executable, "-m", "uvicorn", "tests.gateway_app:application", "--port", str(self.port)]
        command += ["--no-access-log", "--lifespan", "on", "--timeout-graceful-shutdown", "5"]
        process = Process(command, self._folder / "gateway.log", env=self.environment)
        process.wait_until(self._is_ready, timeout_s=100)
        return process

    def _is_ready(self) -> bool:
        try:
            return requests.get(f"{self.base_url}/ready", timeout=2).ok
        except requests.RequestException:
            return False


class GunicornServer(GatewayServer):
    """The documented production command, with the ``gunicorn.conf.py`` that gunicorn finds by itself.

    It needs PostgreSQL and Redis in its environment where it has more than one worker.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], *, workers: int = 2, options: str = "") -> None:
        super().__init__(folder, environment)
        self._workers = workers
        self._options = options.split()

    def workers(self) -> list[int]:
        """Process ids of the workers, the oldest first."""
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def count_started(self) -> int:
        """How many workers have said that they serve, since the first start."""
        return self.log.count("Application startup complete")

    def _spawn(self) -> Process:
        command = [str(Path(sys.executable).with_name("gunicorn")), "inference_gateway.asgi:application"]
        command += ["-k", "uvicorn.workers.UvicornWorker", "-b", f"127.0.0.1:{self.port}"]
        command += ["--workers", str(self._workers), "--log-level", "info", *self._options]
        started = self.count_started()
        process = Process(command, self._folder / "gateway.log", cwd=ROOT, env=self.environment)
        process.wait_until(self._is_ready, timeout_s=120)
        process.wait_until(lambda: self.count_started() >= started + self._workers, timeout_s=120)
        return process


def federated(pk: int, model: str, *targets: Mapping[str, Any]) -> dict[str, Any]:
    """One fixture row."""
    fields = {"name": f"row {pk}", "target_model_name": model, "targets": list(targets)}
    return {"model": "resource_server.federatedendpoint", "pk": pk, "fields": fields}


def http_target(model: str, base_url: str, **fields: Any) -> dict[str, Any]:
    """One target reached by HTTP."""
    document = {"backend": "openai_http", "cluster": "polaris", "framework": "vllm", "model": model}
    return {**document, "base_url": base_url, **fields}
