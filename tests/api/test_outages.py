"""The database and Redis die while requests run: every request is answered, every record arrives once."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import psycopg
import pytest
import requests

from tests.api.test_failures import wait_until
from tests.framework import CHAT, Framework, running_framework
from tests.gateway import GatewayServer, build_environment, federated, http_target
from tests.globus_cloud import GlobusCloud
from tests.personas import ALICE
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

BODY = {"model": CHAT, "messages": [{"role": "user", "content": "hi"}]}


class Load:
    """One client that asks without pause, in a thread; every answer's status is kept."""

    def __init__(self, gateway: GatewayServer, token: str) -> None:
        self.statuses: list[int] = []
        self.slowest_s = 0.0
        self._url = f"{gateway.base_url}/v1/chat/completions"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        with requests.Session() as session:
            while not self._stop.is_set():
                asked_at = time.monotonic()
                self.statuses.append(session.post(self._url, json=BODY, headers=self._headers, timeout=20).status_code)
                self.slowest_s = max(self.slowest_s, time.monotonic() - asked_at)
                time.sleep(0.005)

    def wait_for(self, more: int) -> None:
        """Return when `more` further requests have been answered."""
        goal = len(self.statuses) + more
        assert wait_until(lambda: len(self.statuses) >= goal, 20)


@pytest.fixture
def framework() -> Iterator[Framework]:
    with running_framework() as framework:
        yield framework


@pytest.fixture
def gateway(
    tmp_path: Path,
    globus: GlobusCloud,
    framework: Framework,
    postgres_server: PostgresServer,
    redis_server: RedisServer,
) -> Iterator[GatewayServer]:
    variables = {**postgres_server.address.environment("postgres"), "REDIS_URL": f"{redis_server.address}/0"}
    gateway = GatewayServer(tmp_path, build_environment(globus, tmp_path, **variables))
    gateway.manage("migrate", "-v0")
    gateway.load([federated(1, CHAT, http_target(CHAT, framework.url))])
    with gateway:
        yield gateway


def _count_rows(server: PostgresServer) -> tuple[int, int]:
    """Rows of the request log, and how many distinct requests they are of."""
    with psycopg.connect(server.address.conninfo("postgres")) as connection:
        row = connection.execute(
            "SELECT count(*), count(DISTINCT request_id) FROM resource_server_requestlog"
        ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def test_postgres_and_redis_killed_under_load_every_request_is_answered_and_recorded_once(
    gateway: GatewayServer, globus: GlobusCloud, postgres_server: PostgresServer, redis_server: RedisServer
) -> None:
    with Load(gateway, globus.issue_token(ALICE)) as load:
        load.wait_for(20)
        redis_server.kill()
        load.wait_for(50)
        postgres_server.kill()
        load.wait_for(100)
        ready = requests.get(f"{gateway.base_url}/ready", timeout=5)
        assert ready.status_code == 200
        assert "redis" in ready.json()["degraded"]
        redis_server.start()
        postgres_server.start()
        load.wait_for(50)
    assert set(load.statuses) == {200}
    asked = len(load.statuses)
    assert wait_until(lambda: _count_rows(postgres_server) == (asked, asked), 30)


def test_postgres_hung_requests_go_on(
    gateway: GatewayServer, globus: GlobusCloud, postgres_server: PostgresServer
) -> None:
    with Load(gateway, globus.issue_token(ALICE)) as load:
        load.wait_for(10)
        postgres_server.suspend()
        time.sleep(6)  # several polls of the catalogue and drains of the records fall into it
        load.wait_for(50)
        postgres_server.resume()
    assert set(load.statuses) == {200}
    assert load.slowest_s < 2


def test_redis_hung_new_tokens_are_still_let_in(
    gateway: GatewayServer, globus: GlobusCloud, redis_server: RedisServer
) -> None:
    redis_server.suspend()
    for _ in range(3):
        headers = {"Authorization": f"Bearer {globus.issue_token(ALICE)}"}
        asked_at = time.monotonic()
        assert requests.get(f"{gateway.base_url}/whoami", headers=headers, timeout=20).status_code == 200
        assert time.monotonic() - asked_at < 2


def test_catalogue_follows_the_database_within_five_seconds(
    gateway: GatewayServer, globus: GlobusCloud, framework: Framework
) -> None:
    headers = {"Authorization": f"Bearer {globus.issue_token(ALICE)}"}
    url = f"{gateway.base_url}/v1/models/later/model"
    assert requests.get(url, headers=headers, timeout=5).status_code == 404
    gateway.load([federated(2, "later/model", http_target(CHAT, framework.url, cluster="late"))], "later")
    assert wait_until(lambda: requests.get(url, headers=headers, timeout=5).status_code == 200, 5)
