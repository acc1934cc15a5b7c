"""A whole answer for a request that is held: JSON, with white space before it while there is nothing to say."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from resource_server.domain.errors import AnswerCut, GatewayError
from resource_server.services.attempts import Attempts, WholeAnswer
from resource_server.services.draining import Draining, build_refusal

SILENT_S = 20.0
"""After so long the client gets a status and a first space, lest somebody on the way think the connection dead."""
HEARTBEAT_S = 10.0


class PatientAnswer:
    """The bytes of one answer in one piece that may take its time (wire contract 5).

    `on_end` is called once after `begin` has raised nothing: with the answer or the error, or with neither where the
    client left.
    """

    def __init__(
        self,
        attempts: Attempts,
        on_end: Callable[[WholeAnswer | None, GatewayError | None], None],
        draining: Draining,
    ) -> None:
        self._draining = draining
        self._answering = asyncio.create_task(attempts.whole_answer(), name="answer held request")
        self._on_end = on_end
        self._ended = False
        self._bytes = self._produce()

    async def begin(self) -> WholeAnswer | None:
        """The answer if it comes soon; `None` if the client must be kept waiting.

        Raises:
            GatewayError: there is none; nothing is left to close or to settle.
        """
        try:
            await asyncio.wait({self._answering}, timeout=SILENT_S)
            answer = self._answering.result() if self._answering.done() else None
        except BaseException:
            self._ended = True
            await self.aclose()
            raise
        self._ended = answer is not None
        return answer

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._bytes

    async def aclose(self) -> None:
        """Cancel what still runs upstream, and settle. Idempotent."""
        await self._bytes.aclose()
        if not self._answering.done():
            self._answering.cancel()
            await asyncio.wait({self._answering}, timeout=HEARTBEAT_S)
        elif not self._answering.cancelled():
            self._answering.exception()  # looked at: whoever needed it has heard of it
        self._end(None, None)

    async def _produce(self) -> AsyncGenerator[bytes, None]:
        try:
            while not self._answering.done():
                yield b" "
                await asyncio.wait({self._answering}, timeout=HEARTBEAT_S)
            answer = self._answering.result()
        except asyncio.CancelledError as cancelled:
            if not self._draining.has_cancelled():
                raise
            self._end(None, build_refusal())
            raise AnswerCut from cancelled
        except GatewayError as error:
            self._end(None, error)
            raise AnswerCut from error
        self._end(answer, None)
        yield answer.body

    def _end(self, answer: WholeAnswer | None, error: GatewayError | None) -> None:
        if not self._ended:
            self._ended = True
            self._on_end(answer, error)
