"""What a worker process and the cloud say to one another over their socket.

A frame is two unsigned 32-bit lengths, big-endian, then a header (JSON) and a body (bytes) of these lengths.
"""

import asyncio
import json
import struct
from typing import Any, BinaryIO, NamedTuple

LENGTHS = struct.Struct(">II")


class Frame(NamedTuple):
    """One message."""

    header: dict[str, Any]
    body: bytes


def encode_frame(header: dict[str, Any], body: bytes = b"") -> bytes:
    """The bytes of a frame."""
    text = json.dumps(header).encode()
    return b"".join((LENGTHS.pack(len(text), len(body)), text, body))


def read_frame(stream: BinaryIO) -> Frame | None:
    """The next frame of a blocking stream; `None` when the other side has gone."""
    prefix = stream.read(LENGTHS.size)
    if len(prefix) < LENGTHS.size:
        return None
    header_size, body_size = LENGTHS.unpack(prefix)
    header, body = stream.read(header_size), stream.read(body_size)
    return Frame(json.loads(header), body) if len(body) == body_size else None


async def receive_frame(reader: asyncio.StreamReader) -> Frame | None:
    """The next frame of an async stream; `None` when the other side has gone."""
    try:
        header_size, body_size = LENGTHS.unpack(await reader.readexactly(LENGTHS.size))
        header = json.loads(await reader.readexactly(header_size))
        return Frame(header, await reader.readexactly(body_size))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
