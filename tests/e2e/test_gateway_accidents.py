"""Globus misbehaves while requests run: none is lost or answered twice, each gets an answer or an honest error."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.compute_site import (
    FIELD,
    IMPATIENT,
    KILLER,
    RELAYED,
    RETURNED,
    SENTENCE,
    SKIPPING,
    Answer,
    Site,
    wait_until,
)
from tests.framework import CHAT

SUBMIT: dict[str, Any] = {"service": "compute", "method": "POST", "path_prefix": "/v3/endpoints"}


class Load:
    """Requests under way, each for a model of its own, so that no answer can pass for another's."""

    def __init__(self, site: Site, pool: ThreadPoolExecutor) -> None:
        self._site = site
        self._pool = pool
        self._recorded_before = self._count_records()
        self._running: dict[str, Future[Answer]] = {}

    def start(self, models: Sequence[str], *, at_work: int = 1) -> None:
        """Ask each of these models, every other time for a stream; returns once the framework works on `at_work`."""
        asked = len(self._site.framework.bodies)
        for number, model in enumerate(models):
            self._running[model] = self._pool.submit(self._site.ask, model, stream=number % 2 == 0)
        assert wait_until(lambda: len(self._site.framework.bodies) >= asked + at_work, 10)

    def check_all_answered_once(self) -> None:
        """Every request got the whole answer that is its own, and is on record once."""
        for model, running in self._running.items():
            check_answer(running.result(30), model)
        wanted = {**self._recorded_before}
        for model in self._running:
            wanted[model] = wanted.get(model, 0) + 1
        assert wait_until(lambda: self._count_records() == wanted, 10)

    def _count_records(self) -> dict[str, int]:
        path = Path(self._site.gateway.environment["GATEWAY_DATA_DIR"]) / "gateway.sqlite3"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            query = "SELECT model, count(*) FROM resource_server_requestlog WHERE model LIKE 'test/long%' GROUP BY 1"
            return dict(connection.execute(query))


def check_answer(response: Answer, model: str) -> None:
    """The answer is complete and comes from the model asked for."""
    assert response.status_code == 200, response.text
    assert f'"{model}"' in response.text
    if response.headers["content-type"].startswith("text/event-stream"):
        assert response.text.endswith("data: [DONE]\n\n")
        assert (response.text.count("[DONE]"), response.text.count('"stop"')) == (1, 1)
    else:
        assert response.content == SENTENCE


def read_code(response: Answer) -> tuple[int, str]:
    """Status and code of an error."""
    return response.status_code, response.json()["error"]["code"]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as pool:
        yield pool


@pytest.fixture
def load(site: Site, pool: ThreadPoolExecutor) -> Load:
    return Load(site, pool)


def test_broker_restart_loses_no_request(site: Site, load: Load) -> None:
    load.start([*RELAYED[:8], *RETURNED[:4]])
    site.globus.admin.restart_broker(down_s=0.5)
    load.start([*RELAYED[8:], *RETURNED[4:]])
    load.check_all_answered_once()


def test_dropped_connections_lose_no_request(site: Site, load: Load) -> None:
    load.start([*RELAYED[:8], *RETURNED])
    assert site.globus.admin.drop_connections() > 0
    load.start(RELAYED[8:])
    load.check_all_answered_once()


def test_duplicate_and_late_results_are_harmless(site: Site, load: Load) -> None:
    site.globus.admin.set_compute_faults(duplicate_results=-1, delay_results_s=0.5)
    load.start([*RELAYED, *RETURNED])
    load.check_all_answered_once()


def test_dropped_results_are_fetched(site: Site, load: Load) -> None:
    site.globus.admin.set_compute_faults(drop_results=-1)
    load.start([*RELAYED[:4], *RETURNED])
    load.check_all_answered_once()


@pytest.mark.parametrize("status", [404, 500])
def test_refused_submission_is_an_honest_error_of_one_request(site: Site, load: Load, status: int) -> None:
    load.start(RELAYED[:4], at_work=4)
    site.globus.admin.add_fault(**SUBMIT, status=status, remaining=1)
    assert read_code(site.ask(CHAT)) == (502, "backend_error")
    check_answer(site.ask(CHAT), CHAT)
    load.check_all_answered_once()


def test_refused_submission_moves_on_to_the_next_target(site: Site) -> None:
    site.globus.admin.add_fault(**SUBMIT, status=500, remaining=1)
    response = site.ask(SKIPPING)
    check_answer(response, CHAT)
    assert response.headers["x-gateway-cluster"] == "spare"


def test_submission_refused_for_its_rate_is_sent_again(site: Site, load: Load) -> None:
    load.start(RELAYED[:4], at_work=4)
    site.globus.admin.add_fault(**SUBMIT, status=429, retry_after_s=1, remaining=1)
    asked_at = time.monotonic()
    check_answer(site.ask(CHAT), CHAT)
    assert time.monotonic() - asked_at > 0.9
    load.check_all_answered_once()


def test_service_that_hangs_delays_nobody_else(site: Site, pool: ThreadPoolExecutor) -> None:
    check_answer(site.ask(CHAT), CHAT)  # the first submission makes the group that others wait for
    site.globus.admin.add_fault("hang", **SUBMIT, remaining=1)
    asked_at = time.monotonic()
    stuck = pool.submit(site.ask, CHAT)
    assert wait_until(lambda: not site.globus.admin.call("GET", "faults")["http"], 10)
    check_answer(site.ask(RELAYED[0]), RELAYED[0])
    assert not stuck.done()
    assert read_code(stuck.result(30)) == (502, "backend_error")
    assert time.monotonic() - asked_at < 15


def test_service_that_is_away_is_an_honest_error_at_once(site: Site, load: Load) -> None:
    load.start(RELAYED[:4], at_work=4)
    site.globus.admin.add_fault("drop", service="compute")
    asked_at = time.monotonic()
    assert read_code(site.ask(CHAT)) == (502, "backend_error")
    assert time.monotonic() - asked_at < 5
    load.check_all_answered_once()


def test_result_that_never_comes_is_a_timeout_at_the_deadline(site: Site) -> None:
    cuts = len(site.framework.cut_at)
    asked_at = time.monotonic()
    response = site.ask(IMPATIENT)
    assert read_code(response) == (504, "timeout")
    assert response.headers["x-should-retry"] == "false"
    assert 2 <= time.monotonic() - asked_at < 5
    assert wait_until(lambda: len(site.framework.cut_at) > cuts, 2)


def test_lost_worker_process_breaks_its_own_answers_only(site: Site, pool: ThreadPoolExecutor) -> None:
    sent = site.framework.tokens_sent
    running = [pool.submit(site.ask, model, stream=True) for model in RELAYED[:6]]
    assert wait_until(lambda: site.framework.tokens_sent > sent + 30, 10)
    assert read_code(site.ask(KILLER)) == (502, "backend_error")
    endings = [future.result(30).text.rstrip().splitlines()[-1] for future in running]
    broken = [ending for ending in endings if ending != "data: [DONE]"]
    assert 0 < len(broken) < len(endings)
    assert all('"stream_interrupted"' in ending for ending in broken)
    check_answer(site.ask(FIELD), CHAT)
