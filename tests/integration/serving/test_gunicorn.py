"""Several workers under gunicorn, as documented for production: stops and reloads cost nobody an answer."""

import os
import signal
import socket
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime

import psycopg
import pytest
import requests

from tests.e2e.compute_site import wait_until
from tests.framework import CHAT, HELD, Framework, running_framework
from tests.gateway import GatewayServer, GunicornServer, build_environment, federated, http_target
from tests.globus_cloud import GlobusCloud
from tests.personas import ALICE
from tests.servers.postgres import PostgresAddress

pytestmark = pytest.mark.timeout(300)  # it starts several processes; on a busy machine that takes its time

WORKERS = 2
CUT = "cut"
DONE = "data: [DONE]\n\n"


class Client:
    """Alice, who asks from threads of her own, with a connection for each request."""

    def __init__(self, gateway: GatewayServer, globus: GlobusCloud) -> None:
        self._url = f"{gateway.base_url}/v1/chat/completions"
        self._headers = {"Authorization": f"Bearer {globus.issue_token(ALICE)}"}
        self._pool = ThreadPoolExecutor(16)

    def ask(self, model: str = CHAT, *, stream: bool = False) -> str:
        """The status and the whole text, or `CUT`."""
        body = {"model": model, "messages": [{"role": "user", "content": "x"}], "stream": stream}
        try:
            response = requests.post(self._url, json=body, headers=self._headers, timeout=60)
        except requests.RequestException:
            return CUT
        return f"{response.status_code} {response.text}"

    def ask_often(self, until: threading.Event) -> list[str]:
        """Ask again and again; what went wrong."""
        failures = []
        while not until.is_set():
            answer = self.ask()
            if not answer.startswith("200 "):
                failures.append(answer)
        return failures

    def open_streams(self, count: int) -> "list[Future[str]]":
        return [self._pool.submit(self.ask, HELD, stream=True) for _ in range(count)]

    def load(self, until: threading.Event) -> "Future[list[str]]":
        return self._pool.submit(self.ask_often, until)


@pytest.fixture(scope="module")
def running(
    globus_session: GlobusCloud,
    postgres: PostgresAddress,
    redis_session_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[GunicornServer, Framework]]:
    """One gateway for all tests of this file, of which the last stops it."""
    folder, name = tmp_path_factory.mktemp("gunicorn"), f"test_{uuid.uuid4().hex}"
    variables = {**postgres.environment(name), "REDIS_URL": redis_session_url, "DRAIN_S": "120"}
    gateway = GunicornServer(folder, build_environment(globus_session, folder, **variables), workers=WORKERS)
    with (
        psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as connection,
        running_framework() as framework,
    ):
        connection.execute(f"CREATE DATABASE {name}")
        gateway.manage("migrate", "-v0")
        rows = [federated(pk, model, http_target(model, framework.url)) for pk, model in enumerate((CHAT, HELD), 1)]
        gateway.load(rows)
        with gateway:
            yield gateway, framework
            framework.released.set()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def gateway(running: tuple[GunicornServer, Framework], globus: GlobusCloud) -> GunicornServer:
    return running[0]


@pytest.fixture
def framework(running: tuple[GunicornServer, Framework]) -> Framework:
    framework = running[1]
    framework.released.clear()
    framework.cut_at.clear()
    return framework


def count_complete(gateway: GunicornServer, since: datetime) -> int:
    """Requests on record as complete."""
    environment = gateway.environment
    conninfo = PostgresAddress.from_environment(environment).conninfo(environment["PGDATABASE"])
    query = "SELECT count(*) FROM resource_server_requestlog WHERE received_at >= %s AND status = 200"
    with psycopg.connect(conninfo) as client:
        row = client.execute(query, (since,)).fetchone()
    return int(row[0]) if row else 0


def begin_streams(client: Client, framework: Framework, count: int) -> "list[Future[str]]":
    """Streams of which the framework has begun each."""
    before = len(framework.bodies)
    streams = client.open_streams(count)
    assert wait_until(lambda: len(framework.bodies) == before + count, 60)
    return streams


def test_reload_refuses_no_request_and_cuts_no_stream(
    gateway: GunicornServer, globus: GlobusCloud, framework: Framework
) -> None:
    client, reloaded = Client(gateway, globus), threading.Event()
    streams = begin_streams(client, framework, 6)
    started, old, load = gateway.count_started(), set(gateway.workers()), [client.load(reloaded) for _ in range(3)]
    os.kill(gateway.pid, signal.SIGHUP)
    assert wait_until(lambda: gateway.count_started() == started + WORKERS, 60)
    assert wait_until(lambda: gateway.log.count("listener_closed") == WORKERS, 60)
    assert client.ask().startswith("200 ")
    framework.released.set()
    assert all(stream.result(60).endswith(DONE) for stream in streams)
    assert wait_until(lambda: not old & set(gateway.workers()), 60)
    reloaded.set()
    assert [each.result(60) for each in load] == [[], [], []]
    assert len(gateway.workers()) == WORKERS


def test_killed_worker_cuts_its_own_streams_only_and_is_replaced(
    gateway: GunicornServer, globus: GlobusCloud, framework: Framework
) -> None:
    client = Client(gateway, globus)
    streams = begin_streams(client, framework, 12)
    started, victim = gateway.count_started(), gateway.workers()[0]
    os.kill(victim, signal.SIGKILL)
    assert wait_until(lambda: victim not in gateway.workers() and gateway.count_started() > started, 60)
    framework.released.set()
    answers = [stream.result(60) for stream in streams]
    assert all(answer.endswith(DONE) for answer in answers if answer != CUT)
    assert len(framework.cut_at) == answers.count(CUT)
    assert all(client.ask().startswith("200 ") for _ in range(10))


def test_token_known_to_one_worker_is_known_to_all(gateway: GunicornServer, globus: GlobusCloud) -> None:
    headers = {"Authorization": f"Bearer {globus.issue_token(ALICE)}"}
    for _ in range(20):  # a connection each, so that both workers are asked
        assert requests.get(f"{gateway.base_url}/whoami", headers=headers, timeout=60).status_code == 200
    calls = [call for call in globus.admin.read_ledger("auth") if call["path"].endswith("introspect")]
    assert len(calls) == 1


def test_bytes_that_are_no_http_get_the_envelope(gateway: GunicornServer) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as connection:
        connection.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"x-request-id: req_" in head
    assert b'"code":"invalid_value"' in body


def test_stop_lets_running_streams_end_and_loses_no_record(
    gateway: GunicornServer, globus: GlobusCloud, framework: Framework
) -> None:
    began_at = datetime.now(UTC)
    streams = begin_streams(Client(gateway, globus), framework, 4)
    begun = gateway.log.count("drain_begun")
    os.kill(gateway.pid, signal.SIGTERM)
    assert wait_until(lambda: gateway.log.count("drain_begun") == begun + WORKERS, 60)
    framework.released.set()
    assert all(stream.result(60).endswith(DONE) for stream in streams)
    gateway.wait_stopped()
    assert count_complete(gateway, began_at) == 4
