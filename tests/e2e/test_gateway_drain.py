"""A gateway that is told to stop: it takes on nothing new, ends what runs, and goes."""

import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.compute_site import (
    PUPPET,
    Answer,
    Endpoints,
    Functions,
    Rows,
    Site,
    build_gateway,
    build_rows,
    running_site,
    wait_online,
    wait_until,
)
from tests.e2e.test_gateway_relay import Node, build_posts
from tests.framework import CHAT, HELD, Framework, running_framework
from tests.gateway import ROOT, GatewayServer, build_environment, federated, http_target
from tests.globus_cloud import GlobusCloud
from tests.personas import ALICE
from tests.scrapes import scrape
from tests.servers.process import Process

pytestmark = pytest.mark.timeout(300)  # it starts several processes; on a busy machine that takes its time

BODY = {"messages": [{"role": "user", "content": "hi"}]}
DONE = "data: [DONE]\n\n"


class Runserver(GatewayServer):
    """The documented development server."""

    def _spawn(self) -> Process:
        command = [sys.executable, str(ROOT / "manage.py"), "runserver", "--noreload", f"127.0.0.1:{self.port}"]
        process = Process(command, self._folder / "gateway.log", env=self.environment)
        process.wait_until(self._is_ready, timeout_s=120)
        return process


class Client:
    """Alice, who asks from threads of her own."""

    def __init__(self, gateway: GatewayServer, token: str) -> None:
        self._url = f"{gateway.base_url}/v1/chat/completions"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._pool = ThreadPoolExecutor(8)

    def ask(self, model: str, *, stream: bool = False) -> requests.Response:
        body = {**BODY, "model": model, "stream": stream}
        return requests.post(self._url, json=body, headers=self._headers, timeout=60)

    def ask_later(self, model: str, *, stream: bool = False) -> "Future[requests.Response]":
        return self._pool.submit(self.ask, model, stream=stream)


def terminate(gateway: GatewayServer) -> None:
    """Send SIGTERM as an operator does, and return when the gateway has seen that it is alone and refuses requests."""
    os.kill(gateway.pid, signal.SIGTERM)
    url = f"{gateway.base_url}/whoami"
    assert wait_until(lambda: requests.get(url, timeout=60).status_code == 503, 60)


def prepare(gateway: GatewayServer, framework: Framework) -> GatewayServer:
    gateway.manage("migrate", "-v0")
    gateway.load([federated(pk, model, http_target(model, framework.url)) for pk, model in enumerate((CHAT, HELD), 1)])
    return gateway


@pytest.fixture
def framework() -> Iterator[Framework]:
    with running_framework() as framework:
        yield framework


@pytest.mark.parametrize("server", [GatewayServer, Runserver], ids=["uvicorn", "runserver"])
def test_answers_under_way_end_and_new_requests_are_refused(
    tmp_path: Path, globus: GlobusCloud, framework: Framework, server: Callable[..., GatewayServer]
) -> None:
    environment = build_environment(globus, tmp_path, DRAIN_S="120")
    with prepare(server(tmp_path, environment), framework) as gateway:
        client = Client(gateway, globus.issue_token(ALICE))
        stream, whole = client.ask_later(HELD, stream=True), client.ask_later(HELD)
        assert wait_until(lambda: len(framework.bodies) == 2, 60)
        terminate(gateway)
        ready = requests.get(f"{gateway.base_url}/ready", timeout=60)
        assert (ready.json()["status"], ready.headers["connection"]) == ("draining", "close")
        assert scrape(gateway.base_url).value("gateway_draining") == 1
        refused = client.ask(CHAT)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "overloaded")
        assert 1 <= int(refused.headers["retry-after"]) <= 10
        assert refused.headers["connection"] == "close"
        assert len(framework.bodies) == 2
        os.kill(gateway.pid, signal.SIGTERM)  # impatience changes nothing
        framework.released.set()
        assert stream.result(60).text.endswith(DONE)
        assert whole.result(60).json()["choices"][0]["message"]["content"]
        gateway.wait_stopped()


def test_answers_that_outlast_the_drain_end_with_an_error(
    tmp_path: Path, globus: GlobusCloud, framework: Framework
) -> None:
    with prepare(GatewayServer(tmp_path, build_environment(globus, tmp_path, DRAIN_S="2")), framework) as gateway:
        client = Client(gateway, globus.issue_token(ALICE))
        stream, whole = client.ask_later(HELD, stream=True), client.ask_later(HELD)
        assert wait_until(lambda: len(framework.bodies) == 2, 60)
        os.kill(gateway.pid, signal.SIGTERM)
        text, refused = stream.result(60).text, whole.result(60)
        assert text.count('"code":"stream_interrupted"') == 1
        assert "[DONE]" not in text
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "overloaded")
        gateway.wait_stopped()
    with sqlite3.connect(tmp_path / "gateway.sqlite3") as database:
        rows = database.execute("SELECT status, error_code FROM resource_server_requestlog ORDER BY stream").fetchall()
    assert rows == [(503, "overloaded"), (200, "stream_interrupted")]


@pytest.fixture
def site(
    tmp_path: Path, globus_session: GlobusCloud, compute_endpoints: Endpoints, compute_functions: Functions
) -> Iterator[Site]:
    """A site of this test's own: its gateway is stopped."""

    def build(framework: Framework) -> Rows:
        wait_online(globus_session, compute_endpoints.working)
        return build_rows(framework, compute_functions, compute_endpoints)

    gateway = build_gateway(globus_session, tmp_path, DRAIN_S="120")
    with running_site(globus_session, gateway, build) as site:
        yield site


def test_relayed_stream_ends_whole_on_the_only_worker(site: Site) -> None:
    with ThreadPoolExecutor(1) as pool:
        answer: Future[Answer] = pool.submit(site.ask, PUPPET, stream=True, timeout_s=90)
        assert wait_until(lambda: site.framework.bodies, 60)
        relay: dict[str, Any] = site.framework.bodies[-1]["relay"]
        node = Node(**relay, answer=answer)
        first, *rest = build_posts()
        assert node.say(first) == 200
        terminate(site.gateway)
        assert {node.say(body) for body in rest} == {200}
        assert answer.result(60).text.endswith(DONE)
        site.gateway.wait_stopped()
