"""What travels to the registered function: one JSON argument, packed as Globus Compute packs it.

`{"model_params": {…the body…, "openai_endpoint", "api_port"}, "relay"?: {"url", "ticket"}, "gateway_request_id",
"traceparent"?}`.
The body is spliced in as it is: its JSON is neither parsed nor written again where it need not change.
"""

import orjson

from resource_server.backends.base import Call
from resource_server.domain.targets import GlobusComputeTarget
from resource_server.relay.base import RelayStream

JSON_DATA = "11\n"
"""How a value that was serialised as JSON begins."""


def build_payload(call: Call, target: GlobusComputeTarget, stream: RelayStream | None) -> bytes:
    """The argument of a task, as JSON. The row's values come last, so that they win over whatever the body says."""
    body = call.body if target.relay or not call.stream else _without_stream(call.body)
    row = orjson.dumps({"openai_endpoint": call.operation.value, "api_port": target.api_port})
    marks: dict[str, object] = {"gateway_request_id": call.request_id}
    if call.traceparent:
        marks["traceparent"] = call.traceparent
    if stream is not None:
        marks["relay"] = {"url": stream.url, "ticket": stream.ticket}
    return b'{"model_params":' + _append_members(body, row) + b"," + orjson.dumps(marks)[1:]


def pack_arguments(payload: bytes) -> str:
    """One positional argument and no named ones, as a task's buffers: length in characters, newline, value."""
    return _pack(f"{JSON_DATA}[{payload.decode()}]") + _pack(JSON_DATA + "{}")


def _pack(value: str) -> str:
    return f"{len(value)}\n{value}"


NO_ARGUMENTS = _pack(JSON_DATA + "[]") + _pack(JSON_DATA + "{}")


def _append_members(first: bytes, second: bytes) -> bytes:
    """Two JSON objects as one; a name that is in both has the second one's value for every reader of JSON."""
    members = first.strip()[1:-1].rstrip()
    return b"{" + members + (b"," if members else b"") + second[1:]


def _without_stream(body: bytes) -> bytes:
    """The body for a function that returns one value: the gateway makes the stream itself (`synthesis`)."""
    document = orjson.loads(body)
    document.pop("stream_options", None)
    document["stream"] = False
    return orjson.dumps(document)
