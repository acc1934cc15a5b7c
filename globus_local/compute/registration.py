"""The document that an agent gets when it registers: where its queues are and how to publish to them."""

from typing import Any

from globus_local.compute import wire
from globus_local.compute.bus import Bus


async def declare_service(bus: Bus) -> None:
    """Declare what all endpoints share."""
    await bus.declare_exchange(wire.TASKS, "direct")
    await bus.declare_exchange(wire.COMMANDS, "direct")
    await bus.declare_exchange(wire.RESULTS, "topic")
    await bus.declare_exchange(wire.HEARTBEATS, "topic")
    await bus.declare_queue(wire.RESULTS, wire.RESULTS, "*.results")
    await bus.declare_queue(wire.HEARTBEATS, wire.HEARTBEATS, "*.heartbeats")


async def declare_endpoint(bus: Bus, endpoint_id: str) -> None:
    """Declare an endpoint's own queues."""
    tasks, commands = wire.task_queue(endpoint_id), wire.command_queue(endpoint_id)
    await bus.declare_queue(tasks, wire.TASKS, tasks)
    await bus.declare_queue(commands, wire.COMMANDS, commands)


async def delete_endpoint(bus: Bus, endpoint_id: str) -> None:
    """Delete an endpoint's own queues; whoever consumes from them is told."""
    await bus.delete_queue(wire.task_queue(endpoint_id))
    await bus.delete_queue(wire.command_queue(endpoint_id))


def build_registration(url: str, endpoint_id: str) -> dict[str, Any]:
    """The answer to a registration."""
    return {
        "endpoint_id": endpoint_id,
        "task_queue_info": _to_consume(url, wire.TASKS, wire.task_queue(endpoint_id)),
        "command_queue_info": _to_consume(url, wire.COMMANDS, wire.command_queue(endpoint_id)),
        "result_queue_info": _to_publish(url, wire.RESULTS, wire.result_key(endpoint_id)),
        "heartbeat_queue_info": _to_publish(url, wire.HEARTBEATS, wire.heartbeat_key(endpoint_id)),
    }


def _to_consume(url: str, exchange: str, queue: str) -> dict[str, Any]:
    return {"connection_url": url, "exchange": exchange, "queue": queue}


def _to_publish(url: str, exchange: str, key: str) -> dict[str, Any]:
    kwargs = {"exchange": exchange, "routing_key": key, "mandatory": True, "properties": {"delivery_mode": 2}}
    return {"connection_url": url, "exchange": exchange, "queue": exchange, "queue_publish_kwargs": kwargs}
