"""Names and formats on the message bus, as the Globus Compute SDK and agent expect them."""

from typing import Any

import orjson

TASKS = "tasks"
RESULTS = "results"
HEARTBEATS = "heartbeats"
COMMANDS = "commands"
PROTOCOL_VERSION = b"\x01"
GROUP_QUEUE_PREFIX = "results.taskgroup."
SOURCE_TEXT = "st\n"


def task_queue(endpoint_id: str) -> str:
    """The queue, and the routing key, of an endpoint's tasks."""
    return f"{endpoint_id}.tasks"


def command_queue(endpoint_id: str) -> str:
    """The queue, and the routing key, of the commands to an endpoint's core process."""
    return f"{endpoint_id}.commands"


def result_key(endpoint_id: str) -> str:
    """The routing key of an endpoint's results."""
    return f"{endpoint_id}.results"


def heartbeat_key(endpoint_id: str) -> str:
    """The routing key of an endpoint's heartbeats."""
    return f"{endpoint_id}.heartbeats"


def group_queue(group_id: str) -> str:
    """The queue of a task group's results."""
    return f"{GROUP_QUEUE_PREFIX}{group_id}"


def encode_message(kind: str, data: dict[str, Any]) -> bytes:
    """A message of Compute's messagepack protocol 1: a version byte, then JSON."""
    return PROTOCOL_VERSION + orjson.dumps({"message_type": kind, "data": data})


def decode_message(body: bytes, kind: str) -> dict[str, Any]:
    """The data of a message of this kind.

    Raises:
        ValueError: it is not one.
    """
    if body[:1] != PROTOCOL_VERSION:
        raise ValueError("not a message of protocol version 1")
    message = orjson.loads(body[1:])
    data = message.get("data") if isinstance(message, dict) and message.get("message_type") == kind else None
    if not isinstance(data, dict):
        raise ValueError(f"not a message of type {kind}")
    return data


def pack_buffer(text: str) -> str:
    """One serialised value, framed: the length in characters, a newline, the value."""
    return f"{len(text)}\n{text}"


def pack_source(function_name: str, source: str) -> str:
    """Source text as a packed function, for functions registered as plain source."""
    return pack_buffer(f"{SOURCE_TEXT}{function_name}:{source}")
