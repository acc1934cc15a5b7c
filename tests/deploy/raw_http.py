"""Requests that no HTTP library would send."""

import json
import socket
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RawAnswer:
    """What came back."""

    status: int
    headers: dict[str, str]
    error: dict[str, Any]


def exchange(port: int, sent: str) -> RawAnswer:
    """Say `sent`, and read one answer with its envelope."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(sent.encode())
        received = b""
        while not (received.endswith(b"}") and b"\r\n\r\n" in received):
            data = connection.recv(65536)
            assert data, received
            received += data
    head, _, body = received.decode().partition("\r\n\r\n")
    first, *rest = head.split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in rest)}
    return RawAnswer(int(first.split()[1]), headers, json.loads(body)["error"])
