"""What a task returned, parsed as the untrusted input it is: bounded JSON, never unpickled.

Our function returns the document of ``docs/relay-protocol.md``; other functions in the field return the JSON text of
the framework's answer, with two figures of their own added.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson

from resource_server.backends.globus_compute.payload import JSON_DATA
from resource_server.backends.globus_compute.service import TaskResult

MAX_RESULT_CHARS = 12_000_000
"""Globus's own cap is 10 MB."""
STREAM_GONE = "stream_gone"
"""The failure code of a run that was cancelled, or that came second: it says nothing about the call."""

NOT_JSON = "not_json"
_NOT_JSON_TEXT = (
    "The model's compute endpoint answered something that is not JSON: it must run globus-compute-endpoint 3.6 or "
    "newer, and its function must return JSON. Tell the operators."
)
_FIELD_FIGURES = ("response_time", "throughput_tokens_per_second")
_STATUSES, _ERROR_STATUSES = range(200, 600), range(400, 600)
_JSON_HEADERS = {"content-type": "application/json"}
_PASSED_HEADERS = ("content-type", "retry-after")


class TaskFailed(Exception):
    """The task brought no answer. `code` is one of the protocol's, ``task_failed`` or ``not_json``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message[:500]}")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Answer:
    """The framework's answer as a task's result carries it; `body` is `None` if all of it went through the relay."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None


def parse_result(result: TaskResult) -> Answer:
    """The answer in a result. Raises `TaskFailed`."""
    if result.data is None:
        raise TaskFailed("task_failed", result.failure.strip()[-500:])
    document = _parse_data(result.data)
    if document.get("gateway_result") == 1:
        return _parse_ours(document)
    for figure in _FIELD_FIGURES:
        document.pop(figure, None)
    return Answer(_find_status(document), _JSON_HEADERS, orjson.dumps(document))


def parse_text(result: TaskResult) -> str:
    """JSON text: what the function returned, or what it returned as JSON. Raises `TaskFailed`."""
    if result.data is None:
        raise TaskFailed("task_failed", result.failure.strip()[-500:])
    return orjson.dumps(_parse_data(result.data)).decode()


def _parse_data(data: str) -> dict[str, Any]:
    """The JSON object in a serialised value, or in the text that is the value."""
    if len(data) > MAX_RESULT_CHARS:
        raise TaskFailed("answer_too_large", f"a result of {len(data)} characters")
    document: Any = None
    if data.startswith(JSON_DATA):  # looked at before anything is decoded: every other serialisation can execute code
        with contextlib.suppress(orjson.JSONDecodeError):
            document = orjson.loads(data[len(JSON_DATA) :])
            document = orjson.loads(document) if isinstance(document, str) else document
    if not isinstance(document, dict):
        raise TaskFailed(NOT_JSON, _NOT_JSON_TEXT)
    return document


def _parse_ours(document: Mapping[str, Any]) -> Answer:
    status, headers, body = (document.get(name) for name in ("status", "headers", "body"))
    if status is None:
        error = document.get("error")
        error = error if isinstance(error, dict) else {}
        raise TaskFailed(str(error.get("code", "task_failed"))[:100], str(error.get("message", "no reason given")))
    if type(status) is not int or status not in _STATUSES or not isinstance(headers, dict):
        raise TaskFailed("framework_broken", "the result has no proper status or headers")
    passed = {name: value for name in _PASSED_HEADERS if isinstance(value := headers.get(name), str)}
    is_relayed = document.get("relayed") is True
    if not is_relayed and not isinstance(body, str):
        raise TaskFailed("framework_broken", "the result has no body")
    return Answer(status, {**_JSON_HEADERS, **passed}, body.encode() if isinstance(body, str) else None)


def _find_status(document: Mapping[str, Any]) -> int:
    """The framework's status, which field functions do not tell: frameworks repeat an error's in its ``code``."""
    error = document if document.get("object") == "error" else document.get("error")
    if not isinstance(error, dict):
        return HTTPStatus.OK
    code = error.get("code")
    return code if type(code) is int and code in _ERROR_STATUSES else HTTPStatus.BAD_GATEWAY
