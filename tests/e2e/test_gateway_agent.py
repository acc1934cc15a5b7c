"""The gateway against the real globus-compute-endpoint agent, on RabbitMQ: an answer, a stream, a cancel, a failure."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.e2e.agent import Agent, AgentSettings, running_agent
from tests.e2e.compute_site import (
    DEAD,
    MESSAGES,
    SENTENCE,
    Site,
    build_gateway,
    build_target,
    register_shipped_function,
    running_site,
    wait_online,
    wait_until,
)
from tests.framework import CHAT, FAILING, LONG, PICKY, SILENT, SLOW, Framework
from tests.gateway import federated
from tests.globus_cloud import GlobusCloud, start_cloud
from tests.personas import SERVICE_ACCOUNT_ID, SERVICE_ACCOUNT_SECRET
from tests.servers.process import find_free_port
from tests.servers.rabbitmq import RabbitMQServer

pytestmark = [pytest.mark.agent, pytest.mark.rabbitmq, pytest.mark.timeout(240)]

FIRST_ANSWER_S = 120
"""HTEX starts its manager and its workers for the first task."""


@pytest.fixture(scope="module")
def globus(rabbitmq_session: RabbitMQServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GlobusCloud]:
    """A cloud that runs no tasks itself."""
    folder = tmp_path_factory.mktemp("globus")
    process, cloud = start_cloud(folder, "--no-endpoint", f"--amqp-url={rabbitmq_session.url}")
    yield cloud
    process.stop()


@pytest.fixture(scope="module", params=["thread", "htex"])
def agent(globus: GlobusCloud, request: pytest.FixtureRequest) -> Iterator[Agent]:
    settings = AgentSettings(
        venv=Path(os.environ["GLOBUS_COMPUTE_ENDPOINT_VENV"]),
        url=globus.url,
        client_id=SERVICE_ACCOUNT_ID,
        client_secret=SERVICE_ACCOUNT_SECRET,
        engine=request.param,
    )
    with running_agent(settings) as started:
        wait_online(globus, started.endpoint_id)
        yield started


@pytest.fixture(scope="module")
def site(globus: GlobusCloud, agent: Agent, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway that has had its first answer from the agent."""
    folder = tmp_path_factory.mktemp("site")
    function_id = register_shipped_function(globus, folder)

    def build(framework: Framework) -> list[dict[str, Any]]:
        place = {"endpoint_uuid": agent.endpoint_id, "function_uuid": function_id, "cluster": "real"}
        targets = [build_target(framework, model, **place) for model in (CHAT, SLOW, LONG, SILENT, FAILING, PICKY)]
        targets.append(build_target(framework, DEAD, **{**place, "api_port": find_free_port()}))
        return [federated(pk, target["model"], target) for pk, target in enumerate(targets, 1)]

    with running_site(globus, build_gateway(globus, folder), build) as site:
        first = site.ask(CHAT, timeout_s=FIRST_ANSWER_S)
        assert first.status_code == 200, f"{first.text}\n{site.gateway.log}\n{agent.read_logs()}"
        yield site


@pytest.fixture
def client(site: Site) -> Iterator[openai.OpenAI]:
    with site.open_client() as client:
        yield client


def test_answer_comes_whole(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model=CHAT, messages=MESSAGES)
    assert answer.choices[0].message.content == SENTENCE
    assert client.embeddings.create(model=CHAT, input=["x"]).data[0].embedding == [0.0, 0.5, -0.5]


def test_stream_comes_whole(client: openai.OpenAI) -> None:
    chunks = list(client.chat.completions.create(model=CHAT, messages=MESSAGES, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == SENTENCE
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_client_that_leaves_stops_the_stream_it_reads(site: Site, client: openai.OpenAI) -> None:
    cuts = len(site.framework.cut_at)
    stream = client.chat.completions.create(model=SLOW, messages=MESSAGES, stream=True)
    arrived_at = [time.monotonic() for _, _ in zip(stream, range(12), strict=False)]
    stream.close()
    left_at = time.monotonic()
    assert arrived_at[-1] - arrived_at[0] > 0.3
    assert wait_until(lambda: len(site.framework.cut_at) > cuts, 10)
    assert site.framework.cut_at[-1] - left_at < 2


def test_client_that_leaves_during_prefill_stops_the_framework(site: Site) -> None:
    asked, cuts = len(site.framework.bodies), len(site.framework.cut_at)
    with site.open_client() as client, pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=3).chat.completions.create(model=SILENT, messages=MESSAGES)
    left_at = time.monotonic()
    assert len(site.framework.bodies) == asked + 1
    assert wait_until(lambda: len(site.framework.cut_at) > cuts, 10)
    assert site.framework.cut_at[-1] - left_at < 2


@pytest.mark.parametrize(
    ("model", "status", "code"),
    [(FAILING, 502, "backend_error"), (DEAD, 502, "backend_error"), (PICKY, 400, "invalid_value")],
)
def test_failure_has_its_status(client: openai.OpenAI, model: str, status: int, code: str) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model=model, messages=MESSAGES, stream=True)
    assert (caught.value.status_code, caught.value.code) == (status, code)


def test_broker_restart_loses_no_request(site: Site, rabbitmq_session: RabbitMQServer) -> None:
    asked = len(site.framework.bodies)
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(site.ask, LONG, stream=stream) for stream in (True, True, False, False)]
        assert wait_until(lambda: len(site.framework.bodies) == asked + 4, 20)
        rabbitmq_session.stop()
        rabbitmq_session.start()
        later = pool.submit(site.ask, CHAT, timeout_s=120)
        answers = [future.result(120) for future in (*running, later)]
    assert [answer.status_code for answer in answers] == [200] * 5
    assert [answer.text.endswith("data: [DONE]\n\n") for answer in answers[:2]] == [True] * 2
    assert [answer.content for answer in answers[2:]] == [SENTENCE] * 3
