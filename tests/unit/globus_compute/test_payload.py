"""What travels to the function."""

import json
from dataclasses import replace

import pytest
from globus_compute_sdk.serialize import ComputeSerializer

from resource_server.backends.globus_compute.payload import build_payload, pack_arguments
from resource_server.relay.base import RelayStream
from resource_server.relay.relay import open_relay
from resource_server.state.memory import MemoryState
from tests.unit.globus_compute.fakes import build_call, build_target

ROW = {"openai_endpoint": "chat/completions", "api_port": 8001}


async def open_stream() -> RelayStream:
    relay = await open_relay(MemoryState(), "https://gateway.example.org/resource_server/relay", b"k" * 50, "w")
    return await relay.open("c/vllm/m", 60)


@pytest.mark.parametrize(
    "body",
    [b"{}", b" { } ", b'{"model": "m"}', '{"x": "é🌍", "n": 1e400}'.encode(), b'{"a":{"b":[1,{}]}}\n', b'{"s":"}"}'],
)
async def test_body_travels_unchanged_with_the_rows_values(body: bytes) -> None:
    stream = await open_stream()
    payload = build_payload(build_call(body=body), build_target(), stream)
    assert json.loads(payload) == {
        "model_params": {**json.loads(body), **ROW},
        "gateway_request_id": "req_1",
        "relay": {"url": stream.url, "ticket": stream.ticket},
    }
    assert body.strip()[1:-1].strip() in payload
    await stream.aclose()


def test_row_wins_over_the_body() -> None:
    body = b'{"openai_endpoint": "../../x", "api_port": 22}'
    assert json.loads(build_payload(build_call(body=body), build_target(), None))["model_params"] == ROW


def test_without_relay_nothing_stands_beside() -> None:
    payload = json.loads(build_payload(build_call(), build_target(), None))
    assert payload.keys() == {"model_params", "gateway_request_id"}


def test_trace_stands_beside_the_body_never_inside() -> None:
    call = replace(build_call(), traceparent="00-1-2-01")
    payload = json.loads(build_payload(call, build_target(), None))
    assert payload["traceparent"] == "00-1-2-01"
    assert "traceparent" not in payload["model_params"]


@pytest.mark.parametrize(("relay", "stream"), [(True, True), (False, False)])
def test_stream_option_stays_where_it_can_be_served(*, relay: bool, stream: bool) -> None:
    body = json.dumps({"stream": stream, "stream_options": {"include_usage": True}}).encode()
    params = json.loads(build_payload(build_call(body=body, stream=stream), build_target(relay=relay), None))
    assert params["model_params"]["stream"] is stream
    assert "stream_options" in params["model_params"]


def test_field_function_is_asked_for_one_value() -> None:
    body = b'{"stream": true, "stream_options": {"include_usage": true}, "model": "m"}'
    payload = json.loads(build_payload(build_call(body=body, stream=True), build_target(relay=False), None))
    assert payload["model_params"] == {"model": "m", "stream": False, **ROW}


def test_packed_arguments_are_what_the_sdk_unpacks() -> None:
    payload = build_payload(build_call(body='{"x": "é🌍\\n"}'.encode()), build_target(), None)
    packed = ComputeSerializer.unpack_buffers(pack_arguments(payload))
    assert [ComputeSerializer().deserialize(buffer) for buffer in packed] == [[json.loads(payload)], {}]
