"""What a compute node posts, parsed as the untrusted input it is (``docs/relay-protocol.md``)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

MAX_MESSAGE_BYTES = 1 << 20
_MAX_SEQ = 1 << 31

_ATTEMPT = re.compile(r"[0-9a-f]{32}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_HEADER_VALUE = re.compile(r"[\x20-\x7e]{1,256}", re.ASCII)
_PASSED_HEADERS = ("content-type", "retry-after")
_ERROR_CODES = frozenset(
    {"framework_unreachable", "framework_timeout", "framework_broken", "answer_too_large", "bad_request"}
)
_MAX_ERROR_CHARS = 300


class MalformedMessage(Exception):
    """The body is not a message of the protocol. The text is a constant of ours: safe to send back."""


@dataclass(slots=True)
class Totals:
    """What the function says it sent: messages with data, bytes of data, and their SHA-256 in hex."""

    messages: int
    bytes: int
    sha256: str


@dataclass(slots=True)
class Message:
    """One POST. A ping has neither `seq` nor anything after it.

    Attributes:
        error: ``code: message``, for logs.
    """

    attempt: str
    seq: int | None = None
    status: int | None = None
    headers: Mapping[str, str] | None = None
    data: bytes | None = None
    end: Totals | None = None
    error: str | None = None


def parse_message(body: bytes) -> Message:
    """The message in `body`. Unknown members are ignored, so that newer functions can talk to older gateways.

    Raises:
        MalformedMessage: not JSON, or a member is missing, mistyped or out of range.
    """
    try:
        raw = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedMessage("not JSON") from error
    if not isinstance(raw, dict):
        raise MalformedMessage("not an object")
    attempt = raw.get("attempt")
    if not (isinstance(attempt, str) and _ATTEMPT.fullmatch(attempt)):
        raise MalformedMessage("attempt")
    if "seq" not in raw:
        if raw.keys() & {"status", "headers", "data", "end", "error"}:
            raise MalformedMessage("seq")
        return Message(attempt)
    status, headers = _parse_head(raw)
    return Message(
        attempt,
        _parse_integer(raw["seq"], "seq", 0, _MAX_SEQ),
        status,
        headers,
        _parse_data(raw),
        *_parse_last(raw),
    )


def _parse_integer(value: object, name: str, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise MalformedMessage(name)
    return value


def _parse_head(raw: dict[str, object]) -> tuple[int | None, Mapping[str, str] | None]:
    if "status" not in raw:
        return None, None
    headers = raw.get("headers")
    if not isinstance(headers, dict):
        raise MalformedMessage("headers")
    passed = {name: headers[name] for name in _PASSED_HEADERS if name in headers}
    if "content-type" not in passed:
        raise MalformedMessage("headers")
    for value in passed.values():
        if not (isinstance(value, str) and _HEADER_VALUE.fullmatch(value)):
            raise MalformedMessage("headers")
    return _parse_integer(raw["status"], "status", 200, 599), passed


def _parse_data(raw: dict[str, object]) -> bytes | None:
    if "data" not in raw:
        return None
    data = raw["data"]
    if not isinstance(data, str):
        raise MalformedMessage("data")
    return data.encode()


def _parse_last(raw: dict[str, object]) -> tuple[Totals | None, str | None]:
    end, error = raw.get("end"), raw.get("error")
    if "end" in raw and "error" in raw:
        raise MalformedMessage("end")
    if "error" in raw:
        return None, _parse_error(error)
    if "end" not in raw:
        return None, None
    if not isinstance(end, dict):
        raise MalformedMessage("end")
    digest = end.get("sha256")
    if not (isinstance(digest, str) and _SHA256.fullmatch(digest)):
        raise MalformedMessage("end")
    return Totals(
        _parse_integer(end.get("messages"), "end", 0, _MAX_SEQ),
        _parse_integer(end.get("bytes"), "end", 0, 1 << 53),
        digest,
    ), None


def _parse_error(error: object) -> str:
    if not isinstance(error, dict):
        raise MalformedMessage("error")
    code, message = error.get("code"), error.get("message")
    if not (isinstance(code, str) and code in _ERROR_CODES and isinstance(message, str)):
        raise MalformedMessage("error")
    return f"{code}: {message[:_MAX_ERROR_CHARS]!a}"
