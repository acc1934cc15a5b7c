"""An answer as a timetable: what is sent, and when."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

import orjson

_ERROR_TYPES = {400: "BadRequestError", 404: "NotFoundError", 429: "RateLimitError"}
JSON = "application/json"
EVENT_STREAM = "text/event-stream; charset=utf-8"


class Piece(NamedTuple):
    """Bytes that are due `at_s` seconds after the call came, and the tokens produced for them.

    A token of an answer in one piece has no bytes of its own.
    """

    at_s: float
    data: bytes = b""
    tokens: int = 0


class Ending(Enum):
    """What follows the last piece."""

    COMPLETE = auto()
    SILENCE = auto()
    BREAK = auto()


@dataclass(slots=True)
class Script:
    """A whole answer.

    Attributes:
        opens_at_s: when the status is sent.
        pieces: in the order of their times.
        half: how many of the pieces make about half of the answer.
        content: how many of the pieces come before the closing events of a stream.
    """

    status: int
    content_type: str
    pieces: Iterator[Piece]
    opens_at_s: float = 0.0
    half: int = 0
    content: int = 0
    ending: Ending = Ending.COMPLETE


def build_error(status: int, message: str, param: str | None = None) -> Script:
    """An error as frameworks word it."""
    kind = _ERROR_TYPES.get(status, "InternalServerError")
    error = {"message": message, "type": kind, "param": param, "code": status}
    return Script(status, JSON, iter([Piece(0.0, orjson.dumps({"error": error}))]))
