"""Misbehaviour on demand: lost, doubled, late results, refused submissions, limits, accidents of the broker."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage
from globus_compute_sdk import Client
from globus_sdk import GlobusAPIError

from tests.globus_local.compute_clients import (
    ECHO_SOURCE,
    JSON_RESULTS,
    build_json_client,
    create_endpoint,
    get_task,
    run_one,
    submit_one,
    wait_for_status,
    wait_for_task,
)
from tests.globus_local.conftest import Local

DEADLINE_S = 20
QUIET_S = 0.3


class Setup:
    """Alice's client, endpoint and function."""

    def __init__(self, local: Local) -> None:
        self.local = local
        self.client = build_json_client(local)
        self.endpoint_id = create_endpoint(local, concurrency=2)
        self.function_id = self.client.register_source_code(ECHO_SOURCE, "echo")

    async def submit_to_group(self, group_id: str | None = None, count: int = 1) -> tuple[str, list[str]]:
        return await asyncio.to_thread(self._submit_to_group, group_id, count)

    async def wait_for(self, task_id: str) -> dict[str, Any]:
        return await asyncio.to_thread(wait_for_task, self.client, task_id)

    async def administer(self, path: str, **body: float) -> Any:
        return await asyncio.to_thread(self.local.admin.call, "POST", path, body)

    def _submit_to_group(self, group_id: str | None, count: int) -> tuple[str, list[str]]:
        batch = self.client.create_batch(
            task_group_id=group_id, create_websocket_queue=True, result_serializers=JSON_RESULTS
        )
        for number in range(count):
            batch.add(self.function_id, (str(number),))
        answer = self.client.batch_run(self.endpoint_id, batch)
        return str(answer["task_group_id"]), answer["tasks"][self.function_id]


@pytest.fixture
def setup(local: Local) -> Setup:
    return Setup(local)


@asynccontextmanager
async def hearing(client: Client, group_id: str) -> AsyncIterator["asyncio.Queue[str]"]:
    """The ids of the results that arrive on a group's queue, over a robust connection."""
    info: dict[str, Any] = await asyncio.to_thread(client.get_result_amqp_url)
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def hear(message: AbstractIncomingMessage) -> None:
        heard.put_nowait(json.loads(message.body[1:])["data"]["task_id"])
        await message.ack()

    connection = await aio_pika.connect_robust(info["connection_url"], reconnect_interval=0.05)
    async with connection, asyncio.timeout(DEADLINE_S):
        channel = await connection.channel()
        queue = await channel.declare_queue(info["queue_prefix"] + group_id, durable=True)
        await queue.consume(hear)
        yield heard


async def hear_new(heard: "asyncio.Queue[str]", known: list[str]) -> str:
    """The next id that is not known: an acknowledgement may be lost with its connection, delivery is at least once."""
    while (heard_id := await heard.get()) in known:
        pass
    return heard_id


async def test_results_arrive_on_the_groups_queue(setup: Setup) -> None:
    group_id, task_ids = await setup.submit_to_group(count=3)
    async with hearing(setup.client, group_id) as heard:
        assert {await heard.get() for _ in range(3)} == set(task_ids)


async def test_dropped_result_is_known_to_batch_status_only(setup: Setup) -> None:
    await asyncio.to_thread(setup.local.admin.set_compute_faults, drop_results=1)
    group_id, [lost_id] = await setup.submit_to_group()
    assert (await setup.wait_for(lost_id))["status"] == "success"
    async with hearing(setup.client, group_id) as heard:
        _, [next_id] = await setup.submit_to_group(group_id)
        assert await heard.get() == next_id


async def test_duplicated_result_arrives_twice(setup: Setup) -> None:
    await asyncio.to_thread(setup.local.admin.set_compute_faults, duplicate_results=1)
    group_id, [twice_id] = await setup.submit_to_group()
    async with hearing(setup.client, group_id) as heard:
        assert [await heard.get(), await heard.get()] == [twice_id, twice_id]
        _, [once_id] = await setup.submit_to_group(group_id)
        assert await heard.get() == once_id
        await asyncio.sleep(QUIET_S)
        assert heard.empty()


def test_delayed_result_is_late(setup: Setup) -> None:
    run_one(setup.client, setup.endpoint_id, setup.function_id)
    setup.local.admin.set_compute_faults(delay_results_s=0.4)
    started = time.monotonic()
    run_one(setup.client, setup.endpoint_id, setup.function_id)
    assert time.monotonic() - started >= 0.4


def test_refused_submission_is_503_and_the_next_one_is_taken(setup: Setup) -> None:
    setup.local.admin.set_compute_faults(refuse_submits=1)
    with pytest.raises(GlobusAPIError) as raised:
        submit_one(setup.client, setup.endpoint_id, setup.function_id)
    assert raised.value.http_status == 503
    assert submit_one(setup.client, setup.endpoint_id, setup.function_id)


def test_offline_endpoint_keeps_tasks_until_it_is_back(setup: Setup) -> None:
    wait_for_status(setup.client, setup.endpoint_id, "online")
    setup.local.admin.set_compute_faults(endpoint_offline=True)
    wait_for_status(setup.client, setup.endpoint_id, "offline")
    task_id = submit_one(setup.client, setup.endpoint_id, setup.function_id)
    time.sleep(QUIET_S)
    assert get_task(setup.client, task_id)["status"] == "waiting-for-ep"
    setup.local.admin.set_compute_faults(endpoint_offline=False)
    assert wait_for_task(setup.client, task_id)["status"] == "success"
    wait_for_status(setup.client, setup.endpoint_id, "online")


def test_locked_endpoint_is_offline(setup: Setup) -> None:
    wait_for_status(setup.client, setup.endpoint_id, "online")
    setup.client.stop_endpoint(setup.endpoint_id)
    assert setup.client.get_endpoint_status(setup.endpoint_id)["status"] == "offline"


def test_rate_limit_of_the_service_applies_once_switched_on(setup: Setup) -> None:
    setup.local.admin.set_rate_limit(enabled=True, limit=2, window_s=60)
    codes = []
    for _ in range(3):
        try:
            setup.client.get_endpoint_status(setup.endpoint_id)
        except GlobusAPIError as error:
            codes.append(error.http_status)
    assert codes == [429]


async def test_results_survive_a_restart_of_the_broker(setup: Setup) -> None:
    group_id, waiting_ids = await setup.submit_to_group(count=2)
    for task_id in waiting_ids:
        await setup.wait_for(task_id)
    await setup.administer("compute/broker/restart", down_s=0.1)
    async with hearing(setup.client, group_id) as heard:
        assert {await heard.get(), await heard.get()} == set(waiting_ids)
        await setup.administer("compute/broker/restart")
        _, [after_id] = await setup.submit_to_group(group_id)
        assert await hear_new(heard, waiting_ids) == after_id


async def test_consumer_goes_on_after_its_connection_was_cut(setup: Setup) -> None:
    group_id, [first_id] = await setup.submit_to_group()
    async with hearing(setup.client, group_id) as heard:
        assert await heard.get() == first_id
        assert (await setup.administer("compute/broker/drop-connections"))["dropped"] >= 1
        _, [second_id] = await setup.submit_to_group(group_id)
        assert await hear_new(heard, [first_id]) == second_id
