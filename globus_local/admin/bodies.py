import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from aiohttp import web

from globus_local.errors import bad_request
from globus_local.seed import SeedError


async def read_json(request: web.Request) -> dict[str, Any]:
    """The JSON object of a body.

    Raises:
        ServiceError: 400 for anything else.
    """
    try:
        body = await request.json()
    except ValueError as exc:
        raise bad_request(f"The body is not JSON: {exc}") from exc
    if not isinstance(body, dict):
        raise bad_request("The body must be a JSON object")
    return body


def find_number(body: Mapping[str, Any], name: str) -> float | None:
    """The number of this name; `None` where there is none.

    Raises:
        ServiceError: 400 for anything else.
    """
    value = body.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise bad_request(f"{name} must be a number, not {value!r}")
    return value


@contextlib.contextmanager
def refusing_bad_records() -> Iterator[None]:
    """Turn what is wrong with a record into a 400 that says so."""
    try:
        yield
    except SeedError as exc:
        raise bad_request(str(exc), "INVALID_RECORD") from exc


def update_fields(record: Any, changes: dict[str, Any], names: tuple[str, ...]) -> None:
    """Set those attributes of `record` that `changes` names; each keeps its type, and an integer may become a float.

    Raises:
        ServiceError: 400, and nothing is changed.
    """
    for name, value in changes.items():
        if name not in names:
            raise bad_request(f"There is no {name!r} (known: {', '.join(names)})")
        current = getattr(record, name)
        if isinstance(current, bool) is not isinstance(value, bool):
            raise bad_request(f"{name} must be a {type(current).__name__}")
        if isinstance(current, int | float) and not isinstance(value, int | float):
            raise bad_request(f"{name} must be a number")
    for name, value in changes.items():
        setattr(record, name, value)


def to_public(record: Any) -> dict[str, Any]:
    """The fields of a record, private ones left out."""
    fields = dataclasses.asdict(record)
    return {name: value for name, value in fields.items() if not name.startswith("_")}
