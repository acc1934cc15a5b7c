"""The relay as its users see it: a backend opens streams, the API hands over what compute nodes post.

The protocol on the wire is ``docs/relay-protocol.md``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class IngestReply:
    """What to answer to a compute node's POST: an HTTP status and a small JSON body."""

    status: int
    body: bytes


class RelayStream(Protocol):
    """The gateway's end of one stream from a compute node. Whoever opened it closes it.

    Attributes:
        stream_id: the last path segment of `url`.
        url: where the function posts.
        ticket: the bearer credential for this stream only.
    """

    stream_id: str
    url: str
    ticket: str

    async def started(self, wait_s: float) -> bool:
        """Wait until the function says that it runs; False after `wait_s` seconds."""
        ...

    async def head(self, wait_s: float) -> tuple[int, Mapping[str, str]] | None:
        """The framework's status and headers (lower case); `None` if they have not come within `wait_s` seconds.

        Raises:
            RelayFailed: the function reported that it could not reach or use the framework.
        """
        ...

    async def read(self, wait_s: float) -> bytes | None:
        """The next bytes in order; ``b""`` at the verified end; `None` after `wait_s` seconds of silence.

        Raises:
            RelayFailed: the function reported a failure, or totals and hash contradict what came.
        """
        ...

    def heard_at(self) -> float:
        """`time.monotonic()` of the last sign of life, pings included; of the opening before the first."""
        ...

    def is_complete(self) -> bool:
        """Whether the verified last message has come (it may not have been read yet)."""
        ...

    async def aclose(self) -> None:
        """Forget the stream: from now on the function hears 410 and stops. Idempotent."""
        ...


class RelayFailed(Exception):
    """The stream cannot be completed honestly. The text is for logs."""


class Relay(Protocol):
    """All streams of this process."""

    async def open(self, target_key: str, lifetime_s: float) -> RelayStream:
        """A new stream for a function at `target_key`; its ticket ends after `lifetime_s` seconds.

        Raises:
            RelayFailed: too many streams are open.
        """
        ...

    async def ingest(self, stream_id: str, ticket: str, body: bytes) -> IngestReply:
        """Take one POST of a compute node, for a stream of this process or of another worker. Never raises."""
        ...

    async def aclose(self) -> None:
        """Close every stream and stop listening to other workers."""
        ...
