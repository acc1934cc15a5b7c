"""Reading what clients send: JSON bodies, checked field by field."""

import uuid
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

import orjson

from globus_local.compute.records import Function
from globus_local.compute.wire import pack_source
from globus_local.errors import ServiceError

Value = TypeVar("Value")


def parse_object(raw: bytes) -> dict[str, Any]:
    """A JSON object.

    Raises:
        ServiceError: 400.
    """
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise _malformed(f"The request body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise _malformed("The request body is not a JSON object")
    return body


def require(body: dict[str, Any], name: str, kind: type[Value]) -> Value:
    """A field that must be there.

    Raises:
        ServiceError: 400.
    """
    value = body.get(name)
    if kind is float and type(value) is int:  # JSON does not tell 1 from 1.0
        value = float(value)
    if not isinstance(value, kind):
        raise _malformed(f"'{name}' must be given, as {kind.__name__}")
    return value


def find(body: dict[str, Any], name: str, kind: type[Value], default: Value) -> Value:
    """A field that may be missing or null.

    Raises:
        ServiceError: 400, it is of another type.
    """
    return default if body.get(name) is None else require(body, name, kind)


def parse_function(body: dict[str, Any], owner_id: str) -> Function:
    """A function to register. Plain source is packed for endpoints here, as the real service does.

    Raises:
        ServiceError: 400.
    """
    name, code = require(body, "function_name", str), require(body, "function_code", str)
    serialized = find(body, "serialized", bool, default=True)
    return Function(
        id=str(uuid.uuid4()),
        owner_id=owner_id,
        name=name,
        code=code,
        packed=code if serialized else pack_source(name, code),
        serialized=serialized,
        public=find(body, "public", bool, default=False),
        description=find(body, "description", str, ""),
        metadata=find(body, "meta", dict, {}),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What `POST /v3/endpoints/{id}/submit` asks for; `tasks` are packed arguments by function id."""

    tasks: dict[str, list[str]]
    group_id: str
    create_queue: bool
    config: dict[str, Any]
    runtime: dict[str, Any]
    resource_specification: dict[str, Any]
    result_serializers: list[str]


def parse_submission(raw: bytes) -> Submission:
    """A submission; without a group id it gets a new group.

    Raises:
        ServiceError: 400.
    """
    body = parse_object(raw)
    tasks = require(body, "tasks", dict)
    for packed in tasks.values():
        if not isinstance(packed, list) or not all(isinstance(item, str) for item in packed):
            raise _malformed("'tasks' must hold lists of packed arguments by function id")
    return Submission(
        tasks=tasks,
        group_id=_parse_uuid(find(body, "task_group_id", str, str(uuid.uuid4()))),
        create_queue=find(body, "create_queue", bool, default=False),
        config=find(body, "user_endpoint_config", dict, {}),
        runtime=find(body, "user_runtime", dict, {}),
        resource_specification=find(body, "resource_specification", dict, {}),
        result_serializers=find(body, "result_serializers", list, []),
    )


def _parse_uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError as error:
        raise _malformed(f"'{text}' is not a UUID") from error


def _malformed(message: str) -> ServiceError:
    return ServiceError(HTTPStatus.BAD_REQUEST, "REQUEST_MALFORMED", message)
