"""The candidates of one request, tried in order until one begins to answer."""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

import orjson

from resource_server.backends.base import (
    Backend,
    BackendFailure,
    Call,
    Upstream,
    UpstreamBroken,
    UpstreamIncompatible,
    UpstreamSaturated,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from resource_server.domain.body import RequestBody, encode_for_target
from resource_server.domain.errors import BackendError, DeadlineExceeded, Overloaded
from resource_server.domain.ranking import Candidate
from resource_server.domain.sse import StreamTap, find_error
from resource_server.domain.states import ModelState
from resource_server.domain.usage import Usage
from resource_server.services.approach import Approach
from resource_server.services.request_spans import begin_attempt
from resource_server.services.upstream_errors import (
    FAILED_MESSAGE,
    build_busy,
    build_rejection,
    is_worth_another_target,
)
from resource_server.telemetry.series import DIRECT, FAILOVERS, UPSTREAM_FAILURES
from resource_server.tracing.base import NO_SPAN, Span

logger = logging.getLogger(__name__)

WAIT_S = 5.0
"""How long one read may wait; the call's deadline bounds the whole."""
BEGIN_WITHIN_S = 2.0
"""How long a hot target may take to begin, where another one could be tried instead."""
REFUSAL_WAIT_S = 1.0
"""How long a refusal's own words are waited for: the next candidate waits with us."""
ERROR_BODY_CAP = 64 * 1024
ANSWER_CAP = 64 * 1024 * 1024
_REASONS = ((UpstreamSaturated, "saturated"), (UpstreamTimeout, "timeout"), (UpstreamBroken, "broken"))
"""In words for metrics; every other failure is *unavailable*."""


@dataclass(frozen=True, slots=True)
class WholeAnswer:
    """A JSON answer and what it cost, where the framework said so."""

    body: bytes
    usage: Usage | None


@dataclass(frozen=True, slots=True)
class Begun:
    """A stream whose first content-bearing event has come."""

    upstream: Upstream
    tap: StreamTap
    head: bytes
    """What may go to the client already."""


class Attempts:
    """Tries each candidate once. Nothing has reached the client while this object works.

    What it gives back is closed by `close`, which also gives back the place at the target.

    Attributes:
        path: how the answer travels, where its target may be reached in more than one way; else empty.
        content_at: `time.perf_counter()` when a stream's first content had come; `None` before.
    """

    def __init__(
        self,
        backends: Mapping[str, Backend],
        approach: Approach,
        body: RequestBody,
        request_id: str,
        *,
        span: Span = NO_SPAN,
    ) -> None:
        self._backends = backends
        self._approach = approach
        self._body = body
        self._request_id = request_id
        self._span = span
        self._attempt = NO_SPAN
        self.path = ""
        self.content_at: float | None = None
        self._failed_at = ""
        """The cluster of the candidate that failed last; empty where none did."""

    @property
    def current(self) -> Candidate:
        """The candidate that is tried or waited for."""
        return self._approach.current

    @property
    def waited_s(self) -> float:
        """Seconds in queues and held, up to now."""
        return self._approach.waited_s

    def describe(self) -> str:
        """What the request waits for, in a word or two for the client."""
        return self._approach.describe()

    def note_broken(self) -> None:
        """The answer that was given back broke off."""
        self._attempt.fail("broken")
        self._approach.traffic.breaker.fail()

    async def whole_answer(self) -> WholeAnswer:
        """A complete JSON answer.

        Raises:
            GatewayError: what to tell the client once every candidate has failed, or the request was refused.
        """
        while True:
            upstream = await self._open()
            try:
                answer = _check_whole(await read_whole(upstream, ANSWER_CAP))
            except BackendFailure as exc:
                self._note(exc)
            else:
                await self._approach.note_answer()
                return answer
            finally:
                await self.close(upstream)

    async def first_content(self) -> Begun:
        """A stream up to its first content-bearing event. Raises as `whole_answer`."""
        while True:
            upstream = await self._open()
            begun = None
            try:
                begun = await _until_content(upstream, StreamTap(include_usage=self._body.include_usage))
            except BackendFailure as exc:
                self._note(exc)
            else:
                self.content_at = time.perf_counter()
                self._attempt.mark("first content")
                self._approach.traffic.note_latency(time.monotonic() - self._called_at)
                await self._approach.note_answer()
                return begun
            finally:
                if begun is None:
                    await self.close(upstream)

    async def close(self, upstream: Upstream) -> None:
        """Close what was given back. Idempotent."""
        try:
            await upstream.aclose()
        finally:
            self._leave()

    def _leave(self) -> None:
        self._approach.leave()
        self._attempt.end()

    async def _enter_next(self) -> bool:
        began_at, waited_s = time.perf_counter(), self.waited_s
        try:
            return await self._approach.enter_next()
        finally:
            if self.waited_s > waited_s:
                self._span.child("wait", began_at=began_at).end()

    async def _open(self) -> Upstream:
        while await self._enter_next():
            upstream = None
            if self._failed_at:
                FAILOVERS.inc(self._failed_at)
                self._failed_at = ""
            try:
                self._called_at = time.monotonic()
                self._attempt = begin_attempt(self._span, self.current, self._body.operation)
                upstream = await self._backends[self.current.place.target.backend].open(self._call())
                if upstream.status == HTTPStatus.OK:
                    self.path = upstream.headers.get("x-gateway-path", "")
                    if self.path:
                        self._attempt.note({"gateway.path": self.path})
                        DIRECT.inc(self.current.place.target.cluster)
                    return upstream
                await self._refused(upstream)
                upstream = None
            except BackendFailure as exc:
                self._note(exc)
            finally:
                if upstream is None or upstream.status != HTTPStatus.OK:
                    self._leave()
        raise self._approach.failure or BackendError("No target of this model could be reached. Try again.")

    def _call(self) -> Call:
        target = self.current.place.target
        can_move = self._approach.left > 0 and self._approach.standing().state is ModelState.HOT
        return Call(
            request_id=self._request_id,
            target=target,
            operation=self._body.operation,
            body=encode_for_target(self._body, target),
            stream=self._body.stream,
            deadline=self._called_at + target.timeout_s,
            begin_within_s=BEGIN_WITHIN_S if can_move else None,
            traceparent=self._attempt.traceparent,
        )

    async def _refused(self, upstream: Upstream) -> None:
        """Note the framework's refusal; raise it where no other target would decide otherwise."""
        try:
            async with asyncio.timeout(REFUSAL_WAIT_S):
                body = await read_whole(upstream, ERROR_BODY_CAP)
        except (BackendFailure, TimeoutError):
            body = b""
        finally:
            await upstream.aclose()
        error = build_rejection(upstream.status, body)
        self._attempt.note({"http.response.status_code": int(upstream.status)})
        self._attempt.fail("refused")
        if not is_worth_another_target(upstream.status):
            self._approach.traffic.note_answer()
            raise error
        if not isinstance(error, Overloaded):
            self._approach.traffic.breaker.fail()
        self._approach.failure = error
        self._fail("refused")
        self._log("upstream_refused", f"status {upstream.status}")

    def _note(self, failure: BackendFailure) -> None:
        if isinstance(failure, UpstreamSaturated):
            self._approach.failure = build_busy()
        else:
            self._approach.traffic.breaker.fail()
            self._approach.failure = BackendError(
                str(failure) if isinstance(failure, UpstreamIncompatible) else FAILED_MESSAGE
            )
        self._fail(next((word for kind, word in _REASONS if isinstance(failure, kind)), "unavailable"))
        self._log("upstream_timeout" if isinstance(failure, UpstreamTimeout) else "upstream_failed", failure)
        if isinstance(failure, UpstreamTimeout):
            raise DeadlineExceeded("The model did not answer in time. Ask for fewer tokens, or stream the answer.")

    def _fail(self, reason: str) -> None:
        self._failed_at = self.current.place.target.cluster
        UPSTREAM_FAILURES.inc(self._failed_at, reason)
        self._attempt.fail(reason)

    def _log(self, event: str, detail: object) -> None:
        target = self.current.place.target
        logger.warning(
            "%s request_id=%s target=%s/%s/%s left=%d detail=%.300s",
            event,
            self._request_id,
            target.cluster,
            target.framework,
            target.model,
            self._approach.left,
            detail,
        )


async def read_whole(upstream: Upstream, cap_bytes: int) -> bytes:
    """The complete body. Raises `UpstreamBroken` over `cap_bytes`, and what `Upstream.read` raises."""
    parts: list[bytes] = []
    size = 0
    while True:
        data = await upstream.read(WAIT_S)
        if data is None:
            continue
        if not data:
            return b"".join(parts)
        parts.append(data)
        size += len(data)
        if size > cap_bytes:
            raise UpstreamBroken(f"answer over {cap_bytes} bytes")


def _check_whole(body: bytes) -> WholeAnswer:
    """The answer if it is a JSON object, as every operation's is. Raises `UpstreamBroken`."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise UpstreamBroken("the answer is not JSON") from exc
    if not isinstance(document, dict):
        raise UpstreamBroken("the answer is no JSON object")
    if find_error(document) is not None:
        raise UpstreamUnavailable("the framework reported an error with status 200")
    return WholeAnswer(body, Usage.from_json(document.get("usage")))


async def _until_content(upstream: Upstream, tap: StreamTap) -> Begun:
    if not upstream.headers.get("content-type", "").startswith("text/event-stream"):
        raise UpstreamUnavailable("asked for a stream, got something else")
    head: list[bytes] = []
    while True:
        data = await upstream.read(WAIT_S)
        if data is None:
            continue
        try:
            head.append(tap.feed(data))
        except ValueError as exc:
            raise UpstreamBroken(str(exc)) from exc
        if tap.error is not None:
            raise UpstreamUnavailable("the framework reported an error before any content")
        if tap.content_started:
            return Begun(upstream, tap, b"".join(head))
        if not data:
            raise UpstreamBroken("the stream ended before any content")
