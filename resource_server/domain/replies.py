"""What a use case gives back: plain values, of which the API layer makes a response."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol


class ByteStream(Protocol):
    """An answer in flight. Whoever holds it closes it, also when it was never read."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The bytes for the client as they come, never empty."""
        ...

    async def aclose(self) -> None:
        """Cancel what still runs upstream and settle the account. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class StreamReply:
    """An answer that arrives event by event."""

    stream: ByteStream
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    content_type: str = "text/event-stream; charset=utf-8"
