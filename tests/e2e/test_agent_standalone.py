"""The real agent, unmodified, against the local Globus cloud: registers, runs functions, ends."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from globus_local.cloud import Settings
from globus_local.embedded import running
from tests.e2e.agent import Agent, AgentSettings, Engine, find_processes, running_agent
from tests.globus_local.compute_clients import (
    DEADLINE_S,
    ECHO_SOURCE,
    build_executor,
    build_json_client,
    closing_watchers,
    run_one,
    wait_for_status,
)
from tests.globus_local.conftest import ROBOT_ID, ROBOT_SECRET, SEED, Local
from tests.servers.rabbitmq import RabbitMQServer

pytestmark = [pytest.mark.agent, pytest.mark.timeout(180)]


@pytest.fixture(scope="module", params=["own", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def local(request: pytest.FixtureRequest) -> Iterator[Local]:
    """A cloud without an endpoint of its own, on each kind of broker."""
    if request.param == "own":
        yield from run_cloud(Settings(with_endpoint=False))
    else:
        server: RabbitMQServer = request.getfixturevalue("rabbitmq_session")
        yield from run_cloud(Settings(with_endpoint=False, amqp_url=server.url))


def run_cloud(settings: Settings) -> Iterator[Local]:
    with running(settings) as (_, admin):
        admin.add(**SEED)
        yield Local(admin.base_url, admin)


@pytest.fixture(scope="module", params=["thread", "htex"])
def agent(local: Local, request: pytest.FixtureRequest) -> Iterator[Agent]:
    engine: Engine = request.param
    settings = AgentSettings(
        venv=Path(os.environ["GLOBUS_COMPUTE_ENDPOINT_VENV"]),
        url=local.url,
        client_id=ROBOT_ID,
        client_secret=ROBOT_SECRET,
        engine=engine,
        env={"GREETED": "yes"},
    )
    with running_agent(settings) as started:
        yield started
    assert not find_processes(started.folder)


def test_agent_runs_registered_source_and_answers_json(local: Local, agent: Agent) -> None:
    client = build_json_client(local, ROBOT_ID)
    wait_for_status(client, agent.endpoint_id, "online")
    function_id = client.register_source_code(ECHO_SOURCE, "echo")
    task = run_one(client, agent.endpoint_id, function_id, "agent", mood="good")
    assert task["result"] == '11\n{"greeting": "hello agent", "kwargs": {"mood": "good"}, "env": "yes"}'


def test_results_reach_the_executor_over_amqp(local: Local, agent: Agent) -> None:
    client = build_json_client(local, ROBOT_ID)
    function_id = client.register_source_code("def double(x):\n    return 2 * x\n", "double")
    with closing_watchers(), build_executor(client, agent.endpoint_id) as executor:
        futures = [executor.submit_to_registered_function(function_id, (number,)) for number in range(20)]
        assert [future.result(timeout=DEADLINE_S) for future in futures] == [2 * number for number in range(20)]


def test_failing_function_is_reported_with_its_traceback(local: Local, agent: Agent) -> None:
    client = build_json_client(local, ROBOT_ID)
    function_id = client.register_source_code("def divide():\n    return 1 / 0\n", "divide")
    task = run_one(client, agent.endpoint_id, function_id)
    assert task["status"] == "failed"
    assert "ZeroDivisionError" in task["exception"]


def test_configuration_that_the_schema_refuses_fails_the_task(local: Local, agent: Agent) -> None:
    client = build_json_client(local, ROBOT_ID)
    function_id = client.register_source_code(ECHO_SOURCE, "echo")
    task = run_one(client, agent.endpoint_id, function_id, user_endpoint_config={"walltime": "1:00"})
    assert task["status"] == "failed"
    assert "endpoint" in task["exception"]
