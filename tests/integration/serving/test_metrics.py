"""Metrics of several workers: any of them answers for all, and no sum ever goes down."""

import os
import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
import requests

from tests.framework import CHAT, SLOW, running_framework
from tests.gateway import GatewayServer, build_environment, federated, http_target
from tests.globus_cloud import GlobusCloud
from tests.personas import ALICE
from tests.scrapes import Scrape, read_documented, scrape
from tests.servers.postgres import PostgresAddress
from tests.servers.process import Process

WORKERS = 2
TIMEOUT_S = 30


class Workers(GatewayServer):
    """Two workers under gunicorn; `master` is its process."""

    master: Process

    def _spawn(self) -> Process:
        command = [sys.executable, "-m", "gunicorn", "inference_gateway.asgi:application", "--workers", str(WORKERS)]
        command += ["-k", "uvicorn.workers.UvicornWorker", "-b", f"127.0.0.1:{self.port}", "--graceful-timeout", "10"]
        self.master = Process(command, self._folder / "gateway.log", env=self.environment)
        self.master.wait_until(self._is_ready, timeout_s=60)
        return self.master

    def pids(self) -> set[str]:
        """Of the workers."""
        return set(Path(f"/proc/{self.master.pid}/task/{self.master.pid}/children").read_text().split())

    def ask(self, token: str, **body: object) -> requests.Response:
        """One request on a connection of its own, so that either worker may get it."""
        document = {"model": CHAT, "messages": [{"role": "user", "content": "x"}], **body}
        headers = {"Authorization": f"Bearer {token}"}
        url = f"{self.base_url}/v1/chat/completions"
        return requests.post(url, json=document, headers=headers, timeout=TIMEOUT_S, stream=bool(body.get("stream")))

    def wait_until(self, is_true: Callable[[Scrape], bool]) -> Scrape:
        """A scrape of which it is true; fails with the last one after a while."""
        deadline = time.monotonic() + TIMEOUT_S
        text = ""
        while time.monotonic() < deadline:
            with suppress(requests.RequestException):  # a worker that ended had taken the connection
                found = scrape(self.base_url)
                if is_true(found):
                    return found
                text = found.text
            time.sleep(0.1)
        raise AssertionError(text)

    def is_replaced(self, pid: str, found: Scrape) -> bool:
        """Whether the worker is gone, and another one there."""
        pids = found.label_values("process_open_fds", "pid")
        return pid not in pids and len(pids) == WORKERS == found.value("gateway_workers")


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory,
    globus_session: GlobusCloud,
    postgres: PostgresAddress,
    redis_session_url: str,
) -> Iterator[Workers]:
    folder, name = tmp_path_factory.mktemp("workers"), f"test_{uuid.uuid4().hex}"
    with (
        psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as connection,
        running_framework() as framework,
    ):
        connection.execute(f"CREATE DATABASE {name}")
        variables = {**postgres.environment(name), "REDIS_URL": redis_session_url, "WEB_CONCURRENCY": str(WORKERS)}
        gateway = Workers(folder, build_environment(globus_session, folder, **variables))
        gateway.manage("migrate", "-v0")
        gateway.load([federated(pk, model, http_target(model, framework.url)) for pk, model in enumerate((CHAT, SLOW))])
        with gateway:
            gateway.wait_until(lambda found: found.value("gateway_workers") == WORKERS)
            yield gateway
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def token(globus_session: GlobusCloud) -> str:
    return globus_session.issue_token(ALICE)


def count_requests(found: Scrape) -> float:
    return found.value("gateway_requests_total", status="200")


def count_durations(found: Scrape) -> float:
    return found.value("gen_ai_server_request_duration_seconds_count")


def test_documented_series_are_the_scraped_ones_whichever_worker_answers(gateway: Workers) -> None:
    documented = read_documented()
    for _ in range(6):
        found = scrape(gateway.base_url)
        assert found.types == documented
        assert {family.name for family in found.families} == {name.removesuffix("_total") for name in documented}


def test_both_workers_show_by_their_pids(gateway: Workers) -> None:
    found = gateway.wait_until(lambda found: len(found.label_values("process_open_fds", "pid")) == WORKERS)
    assert found.label_values("process_open_fds", "pid") == gateway.pids()
    assert found.value("python_info") == WORKERS


def test_sums_count_what_every_worker_served(gateway: Workers, token: str) -> None:
    before = scrape(gateway.base_url)
    for _ in range(30):
        assert gateway.ask(token).status_code == 200
    wanted = count_requests(before) + 30
    found = gateway.wait_until(lambda found: count_requests(found) >= wanted)
    assert count_requests(found) == wanted
    assert count_durations(found) == count_durations(before) + 30
    tokens = found.value("gen_ai_client_token_usage_sum") - before.value("gen_ai_client_token_usage_sum")
    assert tokens == 30 * 9
    for _ in range(10):
        assert count_requests(scrape(gateway.base_url)) == wanted


def test_streams_under_way_are_added_up(gateway: Workers, token: str) -> None:
    responses = [gateway.ask(token, model=SLOW, stream=True) for _ in range(8)]
    try:
        gateway.wait_until(lambda found: found.value("gateway_requests_in_progress") == 8)
        gateway.wait_until(lambda found: found.value("gateway_target_requests", model=SLOW) == 8)
    finally:
        for response in responses:
            response.close()
    found = gateway.wait_until(lambda found: found.value("gateway_cancellations_total", answer="begun") == 8)
    assert found.value("gateway_requests_in_progress") == 0


def test_killed_worker_takes_nothing_from_the_sums_and_leaves_no_gauge(gateway: Workers, token: str) -> None:
    wanted = count_requests(scrape(gateway.base_url)) + 20
    for _ in range(20):
        assert gateway.ask(token).status_code == 200
    # Until both have put down what they counted: a kill loses the last second.
    before = gateway.wait_until(lambda found: count_requests(found) == wanted)
    victim = min(gateway.pids())
    os.kill(int(victim), signal.SIGKILL)
    seen = count_requests(before)

    def is_replaced(found: Scrape) -> bool:
        nonlocal seen
        assert count_requests(found) >= seen
        assert count_durations(found) >= count_durations(before)
        seen = count_requests(found)
        return gateway.is_replaced(victim, found)

    gateway.wait_until(is_replaced)
    assert gateway.ask(token).status_code == 200
    gateway.wait_until(lambda found: count_requests(found) == wanted + 1)


def test_worker_that_is_told_to_stop_leaves_all_it_counted(gateway: Workers, token: str) -> None:
    wanted = count_requests(scrape(gateway.base_url)) + 20
    for _ in range(20):
        assert gateway.ask(token).status_code == 200
    stopped = min(gateway.pids())
    os.kill(int(stopped), signal.SIGTERM)
    found = gateway.wait_until(lambda found: gateway.is_replaced(stopped, found))
    assert count_requests(found) == wanted
