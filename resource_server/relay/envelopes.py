"""What workers say to each other about a POST that reached one and belongs to the other.

They travel through Redis, where anybody may write: a worker checks what it gets, the ticket included.
"""

import re
from dataclasses import dataclass

import orjson

_WORKER_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


def is_worker_id(text: str) -> bool:
    """Whether `text` can name a worker: 1 to 64 letters, digits, ``_`` or ``-``."""
    return _WORKER_ID.fullmatch(text) is not None


@dataclass(slots=True)
class ForwardedPost:
    """A POST on its way to the worker that owns its stream.

    Attributes:
        number: counts the sender's posts; the reply carries it.
        sender: the worker that waits for the reply.
    """

    number: int
    sender: str
    stream_id: str
    ticket: str
    body: bytes

    def encode(self) -> bytes:
        """One line of JSON, then the body as it came."""
        return orjson.dumps([self.number, self.sender, self.stream_id, self.ticket]) + b"\n" + self.body


@dataclass(slots=True)
class Replies:
    """The owner's answers to several posts of one worker: number of the post → HTTP status."""

    statuses: list[tuple[int, int]]

    def encode(self) -> bytes:
        """One line of JSON."""
        return orjson.dumps(self.statuses)


def decode_envelope(envelope: bytes) -> ForwardedPost | Replies | None:
    """What another worker sent; `None` if it is nothing that a worker sends."""
    line, _, body = envelope.partition(b"\n")
    try:
        head = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    match head:
        case [int(number), str(sender), str(stream_id), str(ticket)] if is_worker_id(sender):
            return ForwardedPost(number, sender, stream_id, ticket, body)
        case [*pairs]:
            return Replies([(pair[0], pair[1]) for pair in pairs if _is_reply(pair)])
        case _:
            return None


def _is_reply(pair: object) -> bool:
    match pair:
        case [int(), int()]:
            return True
        case _:
            return False
