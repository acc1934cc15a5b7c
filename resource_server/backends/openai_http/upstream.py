"""One HTTP answer in flight."""

import time
from collections.abc import Mapping

import aiohttp

from resource_server.backends.base import UpstreamBroken, UpstreamTimeout
from resource_server.state.patience import Patience

PASSED_HEADERS = ("content-type", "retry-after")

MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""Of an answer in one piece; a stream is bounded event by event, and by the call's deadline."""


def describe(exc: Exception) -> str:
    """A client error for the log: never its `repr`, which would show the request's headers and so the key."""
    return f"{type(exc).__name__} {str(exc)[:200]!r}"


class HTTPUpstream:
    """An answer as aiohttp receives it; see `backends.base.Upstream`.

    Closed before its end it closes the connection, which is how a framework learns that nobody listens; the
    connection of a complete answer goes back to the pool by itself.
    """

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        *,
        deadline: float,
        max_bytes: int | None,
    ) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = {
            name: response.headers[name] for name in PASSED_HEADERS if name in response.headers
        }
        self._response = response
        self._content = response.content
        self._deadline = deadline
        self._bytes_left = max_bytes
        self._is_closed = False
        self._patience = Patience()

    async def read(self, wait_s: float) -> bytes | None:
        """The next bytes; see `backends.base.Upstream.read`."""
        if self._is_closed:
            raise UpstreamBroken("read after close")
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise UpstreamTimeout("the deadline passed within the answer")
        try:
            data = self._content.read_nowait()
            if not data and not self._content.at_eof():
                data = await self._wait(min(wait_s, left_s))
        except TimeoutError:
            return None
        except (aiohttp.ClientError, OSError) as exc:
            raise UpstreamBroken(f"the answer broke off: {describe(exc)}") from exc
        if self._bytes_left is not None:
            self._bytes_left -= len(data)
            if self._bytes_left < 0:
                await self.aclose()
                raise UpstreamBroken("the answer is too large")
        return data

    async def _wait(self, wait_s: float) -> bytes:
        """Wait for bytes or the end. Interrupted at any moment it leaves what has come in aiohttp's buffer."""
        self._check_connected()
        with self._patience.limit(wait_s):
            return await self._content.readany()

    def _check_connected(self) -> None:
        """Notice what aiohttp 3.14 keeps to itself: garbage between chunks closes the connection, waking nobody."""
        connection = self._response.connection
        if not self._content.is_eof() and (connection is None or connection.closed):
            raise UpstreamBroken("the connection was closed within the answer")

    async def aclose(self) -> None:
        """Give the connection up unless the answer is complete."""
        if not self._is_closed:
            self._is_closed = True
            self._patience.close()
            self._response.close()
