"""The main use case: one inference request, from an authenticated caller to an answer."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from resource_server.backends.base import Backend
from resource_server.domain.body import RequestBody, check_for_target, parse_body
from resource_server.domain.catalogue import Place
from resource_server.domain.errors import GatewayError
from resource_server.domain.operations import Operation
from resource_server.domain.replies import Reply, StreamReply
from resource_server.domain.sse import StreamTap
from resource_server.domain.states import ModelState
from resource_server.identity.base import Caller
from resource_server.limits.base import Limits
from resource_server.services.access import Path, resolve
from resource_server.services.answer_stream import AnswerStream
from resource_server.services.approach import Approach
from resource_server.services.attempts import Attempts, WholeAnswer
from resource_server.services.catalogue import Catalogue
from resource_server.services.draining import Draining
from resource_server.services.ledger import CLIENT_LEFT, Entry
from resource_server.services.maintenance import build_gone
from resource_server.services.patient_answer import PatientAnswer
from resource_server.services.routing import Routing
from resource_server.services.usage import usage_of_stream

logger = logging.getLogger(__name__)

FIRST_EVENT_WAIT_S = 5.0
"""How long a stream's 200 waits for the first event, so that an early failure gets a status of its own."""
HELD_EVENT_WAIT_S = 0.2
"""The same for a model that is not hot: long enough to tell a request that cannot be held."""
HOLD_MAX_S = 1800.0
HOLD_DEFAULT_S = 45.0
"""How long an answer in one piece is held for a client that does not say how long it waits."""
CLIENT_SHARE = 0.8
"""Of what the client says: the answer must still fit."""


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    """One request in plain values.

    Attributes:
        request_id: the gateway's own id.
        received_at: `time.perf_counter()` when its first byte was read.
        authenticated_at: `time.perf_counter()` when its token was known.
        entry: its record, which is closed when the answer ends.
        path: (cluster, framework), or `None` for the federated base.
        body: the client's bytes.
        client_timeout_s: how long the client waits for bytes, where it says so.
    """

    request_id: str
    received_at: float
    authenticated_at: float
    entry: Entry
    operation: Operation
    path: Path
    body: bytes
    client_timeout_s: float | None = None


class Inference:
    """Answers inference requests; holds nothing of any one of them.

    Args:
        hold_max_s: how long a request may be held for a model that is not hot.
        draining: what ends requests that outlast the drain.
    """

    def __init__(  # noqa: PLR0913 - collaborators, all injected
        self,
        catalogue: Catalogue,
        backends: Mapping[str, Backend],
        limits: Limits,
        routing: Routing,
        *,
        hold_max_s: float = HOLD_MAX_S,
        draining: Draining | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._backends = backends
        self._limits = limits
        self._routing = routing
        self._hold_max_s = hold_max_s
        self._draining = draining or Draining(0)

    async def answer(self, caller: Caller, request: InferenceRequest) -> Reply | StreamReply:
        """The whole answer, or one that streams. Raises `GatewayError`; either way one entry is on record."""
        with request.entry as entry, self._draining.told():
            entry.principal = caller.principal
            with entry.span.child("route"):
                body = parse_body(request.body, request.operation)
                entry.model, entry.stream = body.model, body.stream
                approach = await self._route(caller, request, body)
                entry.reservation = await self._limits.reserve(caller.principal, body.model)
            routed_at = time.perf_counter()
            attempts = Attempts(self._backends, approach, body, request.request_id, span=entry.span)
            if body.stream:
                return await self._stream(request, attempts, entry, routed_at)
            if approach.current.state is not ModelState.HOT:
                return await self._held(request, attempts, entry, routed_at)
            return await self._whole(request, attempts, entry, routed_at)

    async def _route(self, caller: Caller, request: InferenceRequest, body: RequestBody) -> Approach:
        """The way to where the request may go. Raises `GatewayError` where that is nowhere."""
        sub = caller.principal.sub
        places = _fitting(body, await resolve(self._catalogue.snapshot(), caller, request.path, body.model))
        route_request = self._routing.build_request(body.document, sub)
        await self._routing.find_home(places, route_request)
        candidates = self._routing.rank(places, route_request)
        if not candidates:
            raise build_gone((place, self._routing.standing(place)) for place in places)
        hold_s = self._hold_max_s if body.stream else _find_hold_s(request, self._hold_max_s)
        return self._routing.approach(candidates, sub, hold_s, route_request)

    async def _whole(self, request: InferenceRequest, attempts: Attempts, entry: Entry, routed_at: float) -> Reply:
        try:
            answer = await attempts.whole_answer()
        finally:
            entry.place = attempts.current.place
        entry.close(HTTPStatus.OK, usage=answer.usage)
        return Reply(answer.body, HTTPStatus.OK, _headers(request, attempts, routed_at))

    async def _held(
        self, request: InferenceRequest, attempts: Attempts, entry: Entry, routed_at: float
    ) -> Reply | StreamReply:
        def end(answer: WholeAnswer | None, error: GatewayError | None) -> None:
            entry.place = attempts.current.place
            status = HTTPStatus.OK if answer is not None or error is not None else CLIENT_LEFT
            code = error.code if error is not None else ""
            entry.close(
                status,
                usage=answer.usage if answer is not None else None,
                error_code=code,
                cancelled=status == CLIENT_LEFT,
            )

        held = PatientAnswer(attempts, end, self._draining)
        try:
            answer = await held.begin()
        finally:
            entry.place = attempts.current.place
        headers = _headers(request, attempts, routed_at)
        if answer is None:
            return StreamReply(held, headers, content_type="application/json")
        entry.close(HTTPStatus.OK, usage=answer.usage)
        return Reply(answer.body, HTTPStatus.OK, headers)

    async def _stream(
        self, request: InferenceRequest, attempts: Attempts, entry: Entry, routed_at: float
    ) -> StreamReply:
        def end(tap: StreamTap | None, error: GatewayError | None, left: bool) -> None:  # noqa: FBT001 - AnswerStream's callback
            entry.place, entry.content_at = attempts.current.place, attempts.content_at
            usage, estimated = usage_of_stream(tap)
            code = error.code if error else ""
            if error is not None:
                logger.warning(
                    "stream_failed request_id=%s code=%s cause=%.300s", request.request_id, code, error.__cause__
                )
            status = CLIENT_LEFT if left else HTTPStatus.OK
            entry.close(status, usage=usage, estimated=estimated, error_code=code, cancelled=left)

        stream = AnswerStream(attempts, end, self._draining)
        try:
            is_hot = attempts.current.state is ModelState.HOT
            await stream.begin(FIRST_EVENT_WAIT_S if is_hot else HELD_EVENT_WAIT_S)
        finally:
            entry.place = attempts.current.place
        entry.first_byte()
        return StreamReply(stream, _headers(request, attempts, routed_at))


def _find_hold_s(request: InferenceRequest, most_s: float) -> float:
    if request.client_timeout_s is None:
        return min(HOLD_DEFAULT_S, most_s)
    return min(CLIENT_SHARE * request.client_timeout_s, most_s)


def _fitting(body: RequestBody, places: list[Place]) -> list[Place]:
    """The places that take this body. Raises the first refusal where none does."""
    fitting: list[Place] = []
    refusal: GatewayError | None = None
    for place in places:
        try:
            check_for_target(body, place.target)
        except GatewayError as error:
            refusal = refusal or error
        else:
            fitting.append(place)
    if refusal is not None and not fitting:
        raise refusal
    return fitting


def _headers(request: InferenceRequest, attempts: Attempts, routed_at: float) -> dict[str, str]:
    candidate, queue_ms = attempts.current, attempts.waited_s * 1000
    target = candidate.place.target
    now = time.perf_counter()
    auth_ms = (request.authenticated_at - request.received_at) * 1000
    route_ms = (routed_at - request.authenticated_at) * 1000
    return {
        "x-gateway-cluster": target.cluster,
        "x-gateway-framework": target.framework,
        "x-gateway-target": target.endpoint_slug or f"{target.cluster}/{target.framework}",
        "x-gateway-route-reason": candidate.reason,
        "x-model-state": candidate.state.value,
        **({"x-gateway-path": attempts.path} if attempts.path else {}),
        "server-timing": f"auth;dur={auth_ms:.1f}, route;dur={route_ms:.1f}, queue;dur={queue_ms:.1f}, "
        f"upstream;dur={(now - routed_at) * 1000 - queue_ms:.1f}",
    }
