"""A streamed answer on its way to the client: events as they come, heartbeats while it is silent, an honest end."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from resource_server.backends.base import BackendFailure, UpstreamTimeout
from resource_server.domain.errors import DeadlineExceeded, GatewayError, StreamInterrupted
from resource_server.domain.ranking import Candidate
from resource_server.domain.sse import DONE, StreamTap, comment, error_event
from resource_server.services.attempts import Attempts, Begun
from resource_server.services.draining import Draining, build_interruption

logger = logging.getLogger(__name__)

HEARTBEAT_S = 5.0
LAST_WORD_S = 1.0
"""After ``[DONE]`` the upstream gets this long to end as well: the relay's totals come last, and a clean end lets the
connection be used again. Some servers keep it open instead."""
_COMMENT = comment("waiting")


class AnswerStream:
    """The bytes of one streamed answer (wire contract 4).

    `on_end` is called at most once after `begin` has returned, with the tap (`None` if the answer never began), the
    error that ended the stream (`None` if there is none) and whether the client left before the end.
    """

    def __init__(
        self,
        attempts: Attempts,
        on_end: Callable[[StreamTap | None, GatewayError | None, bool], None],
        draining: Draining,
    ) -> None:
        self._attempts = attempts
        self._draining = draining
        self._announced = attempts.current
        self._described = False
        self._opening = asyncio.create_task(attempts.first_content(), name="open stream")
        self._on_end = on_end
        self._begun: Begun | None = None
        self._ended = False
        self._closed = False
        self._heard_at = 0.0
        self._events = self._produce()

    async def begin(self, wait_s: float) -> Candidate:
        """Wait for the first content, at most `wait_s` seconds, and tell who answers, as far as is known by then.

        Raises:
            GatewayError: no candidate answers. Then, as after a cancellation, nothing is left to close or to settle.
        """
        try:
            await asyncio.wait({self._opening}, timeout=wait_s)
            if self._opening.done():
                self._opening.result()
        except BaseException as error:
            # Whoever sees the error accounts for it; a client that leaves is charged what was produced.
            self._ended = not isinstance(error, asyncio.CancelledError)
            await self.aclose()
            raise
        self._announced = self._attempts.current
        return self._announced

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._events

    async def aclose(self) -> None:
        """Cancel what still runs upstream and settle; a generator that never ran would not do it in a `finally`."""
        if self._closed:
            return
        self._closed = True
        try:
            await self._events.aclose()
            await self._close_upstream()
        finally:
            self._end(None, left=True)

    async def _close_upstream(self) -> None:
        if not self._opening.done():
            self._opening.cancel()
            await asyncio.wait({self._opening}, timeout=HEARTBEAT_S)
        if self._opening.done() and not self._opening.cancelled() and self._opening.exception() is None:
            self._begun = self._opening.result()
            await self._attempts.close(self._begun.upstream)

    async def _produce(self) -> AsyncGenerator[bytes, None]:
        failure: GatewayError | None = None
        try:
            while (news := await self._await_content()) is not None:
                yield news
            begun = self._begun = self._opening.result()
            yield begun.head
            self._heard_at = time.monotonic()
            while (data := await self._receive(begun)) is not None:
                if data:
                    yield data
        except asyncio.CancelledError:
            if not self._draining.has_cancelled():
                raise
            failure = build_interruption()
        except StreamInterrupted as error:
            self._attempts.note_broken()
            failure = error
        except GatewayError as error:
            failure = error
        except Exception:
            # The answer has begun: only here can a bug still be told to the client.
            logger.exception("internal_error in a stream")
            failure = GatewayError("Internal error in the middle of the answer. Tell the operators.")
        # The account is settled before the last bytes go: what a client has seen complete is on record.
        self._end(failure)
        yield DONE if failure is None else error_event(failure)

    async def _await_content(self) -> bytes | None:
        """A comment while nothing has begun: at once what the request waits for, later whether it still does."""
        if self._described:
            await asyncio.wait({self._opening}, timeout=HEARTBEAT_S)
            self._described = False
        if self._attempts.current is not self._announced:
            self._announced = self._attempts.current
            target = self._announced.place.target
            return comment(f"moved to {target.cluster}/{target.framework}")
        if self._opening.done():
            return None
        self._described = True
        return comment(self._attempts.describe())

    async def _receive(self, begun: Begun) -> bytes | None:
        """What may go to the client next, perhaps nothing; `None` at the honest end. Raises the stream's error."""
        tap = begun.tap
        if tap.error is not None:
            raise StreamInterrupted("The model's server reported an error in the middle of its answer.")
        try:
            data = await begun.upstream.read(LAST_WORD_S if tap.done else HEARTBEAT_S)
            if data:
                self._heard_at = time.monotonic()
                return tap.feed(data)
        except UpstreamTimeout as exc:
            raise DeadlineExceeded("The model did not finish its answer in time.") from exc
        except (BackendFailure, ValueError) as exc:
            raise StreamInterrupted("The model's answer broke off before its end.") from exc
        if data is None and not tap.done:
            self._check_idle()
            return _COMMENT
        if not tap.finished:
            raise StreamInterrupted("The model's answer broke off before its end.")
        return None

    def _check_idle(self) -> None:
        if time.monotonic() - self._heard_at > self._attempts.current.place.target.idle_timeout_s:
            raise StreamInterrupted("The model fell silent in the middle of its answer.")

    def _end(self, error: GatewayError | None, *, left: bool = False) -> None:
        if not self._ended:
            self._ended = True
            self._on_end(self._begun.tap if self._begun else None, error, left)
