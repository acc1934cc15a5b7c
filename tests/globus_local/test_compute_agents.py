"""What the service and agents say to one another over AMQP; the real agent's test is in `tests/e2e`."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pika
import pytest
from globus_sdk import GlobusAPIError
from pika.adapters.blocking_connection import BlockingChannel

from tests.globus_local.compute_clients import (
    DEADLINE_S,
    ECHO_SOURCE,
    build_json_client,
    get_task,
    submit_one,
    wait_for_status,
    wait_for_task,
)
from tests.globus_local.conftest import ALICE_ID, Local


class FakeAgent:
    """The AMQP side of an agent: what it consumes and publishes, by the registration document."""

    def __init__(self, local: Local) -> None:
        self.client = build_json_client(local)
        self.registration = self.client.register_endpoint("fake", None, metadata={"hostname": "login1"})
        self.endpoint_id: str = self.registration["endpoint_id"]
        self.function_id = self.client.register_source_code(ECHO_SOURCE, "echo")
        url = self.registration["task_queue_info"]["connection_url"]
        self.connection = pika.BlockingConnection(pika.URLParameters(url))
        self.channel: BlockingChannel = self.connection.channel()
        self.channel.confirm_delivery()

    def take(self, queue: str) -> tuple[pika.BasicProperties, dict[str, Any]]:
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            method, properties, body = self.channel.basic_get(queue, auto_ack=True)
            if method is not None and properties is not None and body is not None:
                return properties, json.loads(body.removeprefix(b"\x01"))
            time.sleep(0.01)
        raise TimeoutError(f"nothing arrived on {queue}")

    def take_command(self) -> dict[str, Any]:
        return self.take(self.registration["command_queue_info"]["queue"])[1]

    def count_commands(self) -> int:
        queue = self.registration["command_queue_info"]["queue"]
        return int(self.channel.queue_declare(queue, passive=True).method.message_count)

    def publish(self, kind: str, info: dict[str, Any], data: dict[str, Any]) -> None:
        kwargs = {**info["queue_publish_kwargs"]}
        kwargs["properties"] = pika.BasicProperties(**kwargs["properties"])
        body = b"\x01" + json.dumps({"message_type": kind, "data": data}).encode()
        self.channel.basic_publish(body=body, **kwargs)

    def beat(self, registration: dict[str, Any], **state: Any) -> None:
        report = {"endpoint_id": registration["endpoint_id"], "global_state": state, "task_statuses": {}}
        self.publish("ep_status_report", registration["heartbeat_queue_info"], report)

    def answer(self, task_id: str, registration: dict[str, Any], data: str) -> None:
        result: dict[str, Any] = {
            "task_id": task_id,
            "data": data,
            "details": None,
            "error_details": None,
            "task_statuses": [],
        }
        self.publish("result", registration["result_queue_info"], result)


@pytest.fixture
def agent(local: Local) -> Iterator[FakeAgent]:
    fake = FakeAgent(local)
    yield fake
    fake.connection.close()


def test_first_task_has_the_agent_start_a_user_endpoint(agent: FakeAgent) -> None:
    submit_one(agent.client, agent.endpoint_id, agent.function_id, user_endpoint_config={"walltime": "1:00"})
    properties, command = agent.take(agent.registration["command_queue_info"]["queue"])
    assert properties.content_type == "application/json"
    assert abs(float(properties.timestamp) - time.time()) < 60
    assert (command["command"], command["args"]) == ("cmd_start_endpoint", [])
    assert command["kwargs"]["user_opts"] == {"walltime": "1:00"}
    assert "python_version" in command["kwargs"]["user_runtime"]
    assert command["kwargs"]["name"].startswith(f"uep.{agent.endpoint_id}.")
    assert command["globus_effective_identity"] == ALICE_ID
    [identity] = command["globus_identity_set"]
    assert (identity["sub"], identity["id"], identity["username"]) == (ALICE_ID, ALICE_ID, "alice@site.example")


def test_task_reaches_the_user_endpoint_and_its_result_the_client(agent: FakeAgent) -> None:
    task_id = submit_one(agent.client, agent.endpoint_id, agent.function_id)
    child = agent.take_command()["kwargs"]["amqp_creds"]
    properties, message = agent.take(child["task_queue_info"]["queue"])
    assert properties.headers["function_uuid"] == agent.function_id
    assert properties.headers["task_uuid"] == task_id
    assert properties.headers["result_serializers"] == ["globus_compute_sdk.serialize.JSONData"]
    code, arguments, keywords = agent.client.fx_serializer.unpack_buffers(message["data"]["task_buffer"])
    assert (code, arguments, keywords) == (f"st\necho:{ECHO_SOURCE}", "11\n[]", "11\n{}")
    agent.answer(task_id, child, "11\n42")
    assert wait_for_task(agent.client, task_id)["result"] == "11\n42"


def test_each_configuration_has_one_user_endpoint(agent: FakeAgent) -> None:
    ids = []
    for config in ({"nodes": 1}, {"nodes": 2}, {"nodes": 1}):
        submit_one(agent.client, agent.endpoint_id, agent.function_id, user_endpoint_config=config)
        if agent.count_commands():
            ids.append(agent.take_command()["kwargs"]["amqp_creds"]["endpoint_id"])
    assert len(ids) == len(set(ids)) == 2  # the third submission came while the first one's user endpoint starts


def test_running_user_endpoint_is_not_started_again(agent: FakeAgent) -> None:
    submit_one(agent.client, agent.endpoint_id, agent.function_id)
    child = agent.take_command()["kwargs"]["amqp_creds"]
    agent.beat(child, heartbeat_period=5, active=True)
    wait_for_status(agent.client, child["endpoint_id"], "online")
    task = get_task(agent.client, submit_one(agent.client, agent.endpoint_id, agent.function_id))
    assert task["status"] == "waiting-for-nodes"
    assert agent.count_commands() == 0


@pytest.mark.parametrize("farewell", [{"heartbeat_period": 0}, {"heartbeat_period": 5, "active": False}])
def test_heartbeats_make_the_status(agent: FakeAgent, farewell: dict[str, Any]) -> None:
    assert agent.client.get_endpoint_status(agent.endpoint_id) == {"status": "offline", "details": {}}
    agent.beat(agent.registration, heartbeat_period=5, managers=3)
    details = wait_for_status(agent.client, agent.endpoint_id, "online")["details"]
    assert details == {"heartbeat_period": 5, "managers": 3}
    agent.beat(agent.registration, **farewell)
    wait_for_status(agent.client, agent.endpoint_id, "offline")


def test_silence_makes_an_endpoint_offline(agent: FakeAgent) -> None:
    agent.beat(agent.registration, heartbeat_period=0.1)
    wait_for_status(agent.client, agent.endpoint_id, "online")
    wait_for_status(agent.client, agent.endpoint_id, "offline")


def test_user_endpoint_that_cannot_start_fails_its_tasks(agent: FakeAgent) -> None:
    task_id = submit_one(agent.client, agent.endpoint_id, agent.function_id)
    child = agent.take_command()["kwargs"]["amqp_creds"]
    agent.beat(child, heartbeat_period=3, error="no such partition")
    task = wait_for_task(agent.client, task_id)
    assert (task["status"], task["exception"]) == ("failed", "no such partition")


def test_second_result_of_a_task_is_ignored(agent: FakeAgent) -> None:
    task_id = submit_one(agent.client, agent.endpoint_id, agent.function_id)
    agent.answer(task_id, agent.registration, "11\n1")
    wait_for_task(agent.client, task_id)
    agent.answer(task_id, agent.registration, "11\n2")
    other_id = submit_one(agent.client, agent.endpoint_id, agent.function_id)
    agent.answer(other_id, agent.registration, "11\n3")
    wait_for_task(agent.client, other_id)
    assert get_task(agent.client, task_id)["result"] == "11\n1"


def test_nonsense_on_the_shared_queues_is_survived(agent: FakeAgent) -> None:
    for exchange in ("results", "heartbeats"):
        for body in (
            b"",
            b"\x01",
            b"\x01{",
            b"\x01[]",
            b'\x01{"message_type": "result"}',
            b"\x02{}",
            b'\x01{"data": 1}',
        ):
            agent.channel.basic_publish(exchange, f"x.{exchange}", body)
    agent.answer("no such task", agent.registration, "11\n1")
    agent.beat({**agent.registration, "endpoint_id": "nobody"}, heartbeat_period=5)
    agent.beat(agent.registration, heartbeat_period=[])
    task_id = submit_one(agent.client, agent.endpoint_id, agent.function_id)
    agent.answer(task_id, agent.registration, "11\n1")
    assert wait_for_task(agent.client, task_id)["status"] == "success"
    agent.beat(agent.registration, heartbeat_period=5)
    wait_for_status(agent.client, agent.endpoint_id, "online")


def test_deleting_an_endpoint_cuts_its_consumers_off(agent: FakeAgent) -> None:
    cancelled = threading.Event()
    agent.channel.add_on_cancel_callback(lambda _: cancelled.set())
    agent.channel.basic_consume(agent.registration["task_queue_info"]["queue"], print, exclusive=True)
    agent.client.delete_endpoint(agent.endpoint_id)
    agent.connection.process_data_events(time_limit=1)
    assert cancelled.is_set()
    with pytest.raises(GlobusAPIError):
        agent.client.get_endpoint_status(agent.endpoint_id)
