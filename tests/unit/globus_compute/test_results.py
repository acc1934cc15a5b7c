"""Results are untrusted: hostile ones are refused, honest ones understood."""

import json
import pickle
from typing import Any

import pytest
from globus_compute_sdk.serialize import ComputeSerializer

from resource_server.backends.globus_compute.consumer import parse_message
from resource_server.backends.globus_compute.results import Answer, TaskFailed, parse_result
from resource_server.backends.globus_compute.service import TaskResult
from tests.unit.globus_compute.fakes import our_result

JSON = {"content-type": "application/json"}


def field_result(document: Any) -> TaskResult:
    return TaskResult("11\n" + json.dumps(json.dumps(document)))


def test_our_result_is_an_answer() -> None:
    headers = {"content-type": "text/plain", "retry-after": "3", "x-secret": "no"}
    answer = parse_result(our_result(status=429, headers=headers, relayed=False, body="é"))
    assert answer == Answer(429, {"content-type": "text/plain", "retry-after": "3"}, "é".encode())


def test_relayed_result_has_no_body() -> None:
    assert parse_result(our_result(status=200, headers={}, relayed=True, end={})) == Answer(200, JSON, None)


def test_result_that_is_no_text_but_an_object_is_understood() -> None:
    data = "11\n" + json.dumps({"gateway_result": 1, "status": 200, "headers": {}, "body": "x"})
    assert parse_result(TaskResult(data)).body == b"x"


def test_field_result_loses_the_figures_of_its_function() -> None:
    document = {"choices": [], "response_time": 1.0, "throughput_tokens_per_second": 2.0}
    assert parse_result(field_result(document)) == Answer(200, JSON, b'{"choices":[]}')


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({"error": {"message": "x", "code": 400}}, 400),
        ({"object": "error", "message": "x", "code": 404}, 404),
        ({"error": {"message": "x", "code": "weird"}}, 502),
        ({"error": {"message": "x", "code": 200}}, 502),
        ({"error": None, "choices": []}, 200),
        ({"error": "text"}, 200),
    ],
)
def test_field_result_tells_the_frameworks_status_where_it_can(document: Any, status: int) -> None:
    assert parse_result(field_result(document)).status == status


@pytest.mark.parametrize(
    "data",
    [
        "",
        "11",
        "11\n",
        "11\n[]",
        '11\n"text"',
        "11\nNaN",
        "11\n{",
        "11\n" + "[" * 100_000,
        "00\n" + pickle.dumps({}).hex(),
        "st\nf:raise SystemExit",
        "01\n{}",
        ComputeSerializer().serialize({"gateway_result": 1}),
    ],
)
def test_result_that_is_not_json_names_the_remedy(data: str) -> None:
    with pytest.raises(TaskFailed, match=r"3\.6 or newer") as failure:
        parse_result(TaskResult(data))
    assert failure.value.code == "not_json"


@pytest.mark.parametrize(
    "members",
    [
        {"status": "200", "headers": {}, "body": ""},
        {"status": True, "headers": {}, "body": ""},
        {"status": 99, "headers": {}, "body": ""},
        {"status": 600, "headers": {}, "body": ""},
        {"status": 200, "headers": [], "body": ""},
        {"status": 200, "headers": {}},
        {"status": 200, "headers": {}, "body": {}},
        {"error": "text"},
        {"error": {"code": 7, "message": []}},
        {},
    ],
)
def test_contradictory_result_is_a_failure(members: Any) -> None:
    with pytest.raises(TaskFailed):
        parse_result(our_result(**members))


def test_failure_keeps_its_code() -> None:
    with pytest.raises(TaskFailed, match="nobody") as failure:
        parse_result(our_result(error={"code": "framework_unreachable", "message": "nobody" * 1000}))
    assert failure.value.code == "framework_unreachable"
    assert len(str(failure.value)) < 600


def test_failed_task_tells_the_end_of_its_traceback() -> None:
    with pytest.raises(TaskFailed, match="ZeroDivisionError"):
        parse_result(TaskResult(None, "x" * 10_000 + "ZeroDivisionError: division by zero"))


def test_oversized_result_is_refused() -> None:
    with pytest.raises(TaskFailed, match="answer_too_large"):
        parse_result(TaskResult("11\n" + " " * 13_000_000))


MESSAGE = {"message_type": "result", "data": {"task_id": "t", "data": "d", "error_details": None}}


def encode(message: Any) -> bytes:
    return b"\x01" + json.dumps(message).encode()


def test_message_is_a_result() -> None:
    assert parse_message(encode(MESSAGE)) == ("t", TaskResult("d"))


def test_message_of_a_failure_is_one() -> None:
    message = {**MESSAGE, "data": {"task_id": "t", "data": "why", "error_details": {"code": "x"}}}
    assert parse_message(encode(message)) == ("t", TaskResult(None, "why"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x01",
        b"\x02{}",
        b"\x01{",
        b"\x01[]",
        encode({**MESSAGE, "message_type": "task"}),
        encode({**MESSAGE, "data": []}),
        encode({**MESSAGE, "data": {"task_id": 1, "data": "d"}}),
        encode({**MESSAGE, "data": {"task_id": "t", "data": None}}),
        b"\x01" + b" " * (13 << 20),
    ],
)
def test_message_of_another_kind_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_message(body)
