"""One simulated answer in flight."""

import asyncio
import math
import time
from collections.abc import Callable

from resource_server.backends.base import UpstreamBroken, UpstreamTimeout
from resource_server.backends.simulated.script import Ending, Piece, Script


class SimulatedUpstream:
    """Plays a script by the clock; see `backends.base.Upstream`.

    Every piece has its time after the start, so the pace does not drift, and nothing runs in the background: closing
    is all it takes to stop.
    """

    def __init__(
        self,
        script: Script,
        *,
        deadline: float,
        count_tokens: Callable[[int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self.status = script.status
        self.headers = {"content-type": script.content_type}
        self._script = script
        self._started_at = clock()
        self._deadline = deadline
        self._count_tokens = count_tokens
        self._next: Piece | None = next(script.pieces, None)
        self._closed = False

    async def open(self) -> None:
        """Wait for the status. Raises `UpstreamTimeout`."""
        opens_at = self._started_at + self._script.opens_at_s
        try:
            await self._sleep_until(min(opens_at, self._deadline))
        except asyncio.CancelledError:
            self._play()  # what was produced for nobody is counted
            raise
        if opens_at > self._deadline:
            self._play()
            raise UpstreamTimeout("the deadline passed before the answer's status")

    async def read(self, wait_s: float) -> bytes | None:
        """The next bytes; see `backends.base.Upstream.read`."""
        give_up_at = self._clock() + wait_s
        while True:
            if self._closed:
                raise UpstreamBroken("read after close")
            now = self._clock()
            if now >= self._deadline:
                raise UpstreamTimeout("the deadline passed within the answer")
            if data := self._play():
                return data
            if self._next is None and self._script.ending is Ending.COMPLETE:
                return b""
            if self._next is None and self._script.ending is Ending.BREAK:
                raise UpstreamBroken("fault/truncate")
            if now >= give_up_at:
                return None
            due_at = self._started_at + self._next.at_s if self._next else math.inf
            await self._sleep_until(min(due_at, give_up_at, self._deadline))

    async def aclose(self) -> None:
        """Stop producing; what was produced up to now is counted."""
        if not self._closed:
            self._play()
            self._closed = True

    def _play(self) -> bytes:
        """Everything that has come due since the last time."""
        elapsed_s = self._clock() - self._started_at
        played: list[bytes] = []
        while self._next is not None and self._next.at_s <= elapsed_s:
            played.append(self._next.data)
            self._count_tokens(self._next.tokens)
            self._next = next(self._script.pieces, None)
        return b"".join(played)

    async def _sleep_until(self, at: float) -> None:
        """The event loop may wake a little early: who calls this looks at the clock again."""
        await asyncio.sleep(max(at - self._clock(), 0))
