"""The candidates of one request, tried in order until one begins to answer."""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Mapping, Sequence
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
from resource_server.domain.errors import BackendError, DeadlineExceeded, GatewayError, Overloaded
from resource_server.domain.ranking import Candidate
from resource_server.domain.sse import StreamTap, find_error
from resource_server.domain.usage import Usage
from resource_server.services.upstream_errors import (
    BUSY_MESSAGE,
    FAILED_MESSAGE,
    build_rejection,
    is_worth_another_target,
)

logger = logging.getLogger(__name__)

WAIT_S = 5.0
"""How long one read may wait; the call's deadline bounds the whole."""
REFUSAL_WAIT_S = 1.0
"""How long a refusal's own words are waited for: the next candidate waits with us."""
ERROR_BODY_CAP = 64 * 1024
ANSWER_CAP = 64 * 1024 * 1024


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
    """Tries each candidate once. Nothing has reached the client while this object works."""

    def __init__(
        self, backends: Mapping[str, Backend], candidates: Sequence[Candidate], body: RequestBody, request_id: str
    ) -> None:
        self._backends = backends
        self._left = deque(candidates)
        self._body = body
        self._request_id = request_id
        self._failure: GatewayError = BackendError("No target of this model could be reached. Try again.")
        self.current = candidates[0]

    async def whole_answer(self) -> WholeAnswer:
        """A complete JSON answer.

        Raises:
            GatewayError: what to tell the client once every candidate has failed, or the request was refused.
        """
        while True:
            upstream = await self._open()
            try:
                return _check_whole(await read_whole(upstream, ANSWER_CAP))
            except BackendFailure as exc:
                self._note(exc)
            finally:
                await upstream.aclose()

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
                return begun
            finally:
                if begun is None:
                    await upstream.aclose()

    async def _open(self) -> Upstream:
        while self._left:
            self.current = self._left.popleft()
            try:
                upstream = await self._backends[self.current.place.target.backend].open(self._call())
            except BackendFailure as exc:
                self._note(exc)
                continue
            if upstream.status == HTTPStatus.OK:
                return upstream
            await self._refused(upstream)
        raise self._failure

    def _call(self) -> Call:
        target = self.current.place.target
        return Call(
            request_id=self._request_id,
            target=target,
            operation=self._body.operation,
            body=encode_for_target(self._body, target),
            stream=self._body.stream,
            deadline=time.monotonic() + target.timeout_s,
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
        if not is_worth_another_target(upstream.status):
            raise error
        self._failure = error
        self._log("upstream_refused", f"status {upstream.status}")

    def _note(self, failure: BackendFailure) -> None:
        if isinstance(failure, UpstreamTimeout):
            self._log("upstream_timeout", failure)
            raise DeadlineExceeded("The model did not answer in time. Ask for fewer tokens, or stream the answer.")
        if isinstance(failure, UpstreamSaturated):
            self._failure = Overloaded(BUSY_MESSAGE, retry_after_s=random.randint(1, 10))  # noqa: S311 - jitter
        else:
            self._failure = BackendError(str(failure) if isinstance(failure, UpstreamIncompatible) else FAILED_MESSAGE)
        self._log("upstream_failed", failure)

    def _log(self, event: str, detail: object) -> None:
        target = self.current.place.target
        logger.warning(
            "%s request_id=%s target=%s/%s/%s left=%d detail=%.300s",
            event,
            self._request_id,
            target.cluster,
            target.framework,
            target.model,
            len(self._left),
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
