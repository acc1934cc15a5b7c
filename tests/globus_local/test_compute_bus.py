"""The bus on the own broker, and what the service does on it; the broker need not listen for that."""

import asyncio
import time

import orjson
import pytest

from globus_local.broker.server import Broker
from globus_local.compute.bus import Outgoing
from globus_local.compute.own_bus import OwnBus
from globus_local.compute.records import Endpoint
from globus_local.compute.registration import declare_service
from globus_local.compute.store import Store
from globus_local.compute.submission import parse_submission
from globus_local.compute.user_endpoints import UserEndpoints
from globus_local.compute.wire import command_queue
from globus_local.records import Identity

DEADLINE_S = 5
ALICE = Identity(id="alice", username="alice@site.example", provider_id="site")


@pytest.fixture
def bus() -> OwnBus:
    return OwnBus(Broker())


def count_ready(bus: OwnBus, queue: str) -> int:
    return len(bus.broker.topology.queue(queue).ready)


async def test_message_that_was_not_acknowledged_comes_again(bus: OwnBus) -> None:
    await bus.declare_queue("q")
    for body in (b"1", b"2"):
        await bus.publish("", "q", Outgoing(body=body, headers={"n": 1}))
    async with asyncio.timeout(DEADLINE_S), bus.consume("q", 10) as deliveries:
        first, second = await anext(deliveries), await anext(deliveries)
        assert (first.body, dict(first.headers), second.body) == (b"1", {"n": 1}, b"2")
        await second.ack()
    async with asyncio.timeout(DEADLINE_S), bus.consume("q", 10) as deliveries:
        assert (await anext(deliveries)).body == b"1"


async def test_consumer_holds_no_more_than_its_prefetch(bus: OwnBus) -> None:
    await bus.declare_queue("q")
    for _ in range(3):
        await bus.publish("", "q", Outgoing(body=b"m"))
    async with asyncio.timeout(DEADLINE_S), bus.consume("q", 1) as deliveries:
        delivery = await anext(deliveries)
        assert count_ready(bus, "q") == 2
        await delivery.ack()
        assert count_ready(bus, "q") == 1


async def test_consumption_ends_when_the_queue_is_deleted(bus: OwnBus) -> None:
    await bus.declare_queue("q")
    async with asyncio.timeout(DEADLINE_S), bus.consume("q", 1) as deliveries:
        await bus.delete_queue("q")
        assert [delivery async for delivery in deliveries] == []


@pytest.mark.parametrize(("silent_s", "commands"), [(-60.0, 0), (60.0, 1)])
async def test_user_endpoint_is_started_unless_it_runs(bus: OwnBus, silent_s: float, commands: int) -> None:
    await declare_service(bus)
    await bus.declare_queue(command_queue("parent"), "commands", command_queue("parent"))
    user_endpoints = UserEndpoints(bus, Store())
    child = await user_endpoints.ensure(Endpoint(id="parent", owner_id="alice", name="p"), "alice", {})
    child.online_until = time.monotonic() - silent_s
    await user_endpoints.start(child, parse_submission(orjson.dumps({"tasks": {}})), [ALICE])
    assert count_ready(bus, command_queue("parent")) == commands
