"""Several workers under gunicorn, as documented for production: a stop drains, a killed worker harms only its own."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import requests

from tests.framework import CHAT, LONG, running_framework
from tests.gateway import GatewayServer, build_environment, federated, http_target
from tests.globus_cloud import GlobusCloud
from tests.personas import ALICE
from tests.servers.postgres import PostgresAddress
from tests.servers.process import Process

WORKERS = 2


class Gunicorn(GatewayServer):
    """The documented command; `master` is its process."""

    master: Process

    def _spawn(self) -> Process:
        command = [sys.executable, "-m", "gunicorn", "inference_gateway.asgi:application", "--workers", str(WORKERS)]
        command += ["-k", "uvicorn.workers.UvicornWorker", "-b", f"127.0.0.1:{self.port}", "--graceful-timeout", "20"]
        self.master = Process(command, self._folder / "gateway.log", env=self.environment)
        self.master.wait_until(self._is_ready, timeout_s=40)
        self.master.wait_until(lambda: self.log.count("Application startup complete") >= WORKERS)
        return self.master

    def workers(self) -> list[int]:
        """Process ids of the workers."""
        children = Path(f"/proc/{self.master.pid}/task/{self.master.pid}/children").read_text()
        return [int(pid) for pid in children.split()]


@pytest.fixture
def gateway(
    tmp_path: Path,
    globus: GlobusCloud,
    postgres: PostgresAddress,
    create_database: Callable[[], dict[str, str]],
    redis_url: str,
) -> Iterator[Gunicorn]:
    variables = {**create_database(), "REDIS_URL": redis_url, "WEB_CONCURRENCY": str(WORKERS)}
    with running_framework() as framework:
        gateway = Gunicorn(tmp_path, build_environment(globus, tmp_path, **variables))
        gateway.manage("migrate", "-v0")
        gateway.load([federated(pk, model, http_target(model, framework.url)) for pk, model in enumerate((CHAT, LONG))])
        with gateway:
            yield gateway


class Streams:
    """Streams under way at once; `begun` is set when each has its first event."""

    def __init__(self, gateway: Gunicorn, token: str, count: int) -> None:
        self._url = f"{gateway.base_url}/v1/chat/completions"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._begun = threading.Barrier(count + 1)
        self._pool = ThreadPoolExecutor(count)
        self._answers: list[Future[str]] = [self._pool.submit(self._run) for _ in range(count)]

    def wait_begun(self) -> None:
        self._begun.wait(20)

    def answers(self) -> list[str]:
        with self._pool:
            return [answer.result(30) for answer in self._answers]

    def _run(self) -> str:
        body = {"model": LONG, "messages": [{"role": "user", "content": "x"}], "stream": True}
        text = b""
        with requests.post(self._url, json=body, headers=self._headers, timeout=20, stream=True) as response:
            pieces: Iterator[bytes] = response.iter_content(None)
            text += next(pieces)
            self._begun.wait(20)
            try:
                for piece in pieces:
                    text += piece
            except requests.RequestException:
                return "cut"
        return text.decode()


def test_stop_lets_running_streams_end_and_loses_no_record(gateway: Gunicorn, globus: GlobusCloud) -> None:
    streams = Streams(gateway, globus.issue_token(ALICE), 4)
    streams.wait_begun()
    os.kill(gateway.master.pid, signal.SIGTERM)
    assert all(answer.endswith("data: [DONE]\n\n") for answer in streams.answers())
    gateway.master.wait(timeout_s=20)
    environment = gateway.environment
    with psycopg.connect(PostgresAddress.from_environment(environment).conninfo(environment["PGDATABASE"])) as client:
        row = client.execute("SELECT count(*) FROM resource_server_requestlog WHERE status = 200").fetchone()
    assert row == (4,)


def test_killed_worker_cuts_its_own_streams_only_and_is_replaced(gateway: Gunicorn, globus: GlobusCloud) -> None:
    token = globus.issue_token(ALICE)
    streams = Streams(gateway, token, 12)
    streams.wait_begun()
    victim = gateway.workers()[0]
    os.kill(victim, signal.SIGKILL)
    answers = streams.answers()
    assert all(answer.endswith("data: [DONE]\n\n") for answer in answers if answer != "cut")
    deadline = time.monotonic() + 20
    while victim in gateway.workers() or len(gateway.workers()) < WORKERS:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    body = {"model": CHAT, "messages": [{"role": "user", "content": "x"}]}
    for _ in range(10):
        headers = {"Authorization": f"Bearer {token}"}
        url = f"{gateway.base_url}/v1/chat/completions"
        assert requests.post(url, json=body, headers=headers, timeout=20).status_code == 200


def test_token_known_to_one_worker_is_known_to_all(gateway: Gunicorn, globus: GlobusCloud) -> None:
    headers = {"Authorization": f"Bearer {globus.issue_token(ALICE)}"}
    for _ in range(20):  # a connection each, so that both workers are asked
        assert requests.get(f"{gateway.base_url}/whoami", headers=headers, timeout=20).status_code == 200
    calls = [call for call in globus.admin.read_ledger("auth") if call["path"].endswith("introspect")]
    assert len(calls) == 1
