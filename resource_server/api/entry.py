"""The way into the API: an ASGI application without middleware, threads or tasks that a request does not need.

It reads the body, finds the route, runs Ninja's view and sends what comes back. Every failure, wherever it arose,
leaves here in the one error envelope, and every answer carries its request id.
"""

import inspect
import logging
import time
from contextlib import nullcontext, suppress
from functools import lru_cache
from http import HTTPStatus
from io import BytesIO
from urllib.parse import quote

from asgiref.sync import sync_to_async
from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope
from django.conf import settings
from django.http import Http404, HttpResponse
from django.http.request import split_domain_port, validate_host
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch, get_resolver
from ninja.errors import HttpError, ValidationError

from resource_server.api.access_log import AccessRecord
from resource_server.api.exchange import ApiRequest, EventStreamResponse
from resource_server.api.reading import DisconnectWatch, read_body
from resource_server.api.sending import send_error, send_response, send_stream
from resource_server.domain.errors import (
    AccessDenied,
    AnswerCut,
    AuthenticationFailed,
    ClientGone,
    DeadlineExceeded,
    GatewayError,
    InvalidValue,
    MethodNotAllowed,
    NotFound,
    RequestTooLarge,
)
from resource_server.domain.operations import Operation
from resource_server.domain.request_id import CURRENT, make_request_id
from resource_server.identity.base import Caller
from resource_server.services.draining import build_refusal
from resource_server.services.ledger import Entry
from resource_server.services.metrics import count_error
from resource_server.tracing.base import NO_SPAN, Arrival, Span
from resource_server.tracing.parents import find_parent
from resource_server.wiring import Gateway

logger = logging.getLogger(__name__)

_OPERATIONS = {operation.value: operation for operation in Operation}
_MAX_CACHED = 500
"""Characters of a path or host worth remembering: what clients choose must not fill our memory."""
_RELAY_PREFIX = "/resource_server/relay/"
_RELAY_CAP_BYTES = 1024 * 1024
_OTHER_CAP_BYTES = 64 * 1024
_OPERATORS_ROUTES = frozenset({"health", "ready", "status", "metrics"})


class ApiEntry:
    """Serves the API's routes for one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._draining = gateway.draining

    async def __call__(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if not self._gateway.access_log:
            await self._serve(scope, receive, send)
            return
        record = AccessRecord(scope, send)
        try:
            await self._serve(scope, receive, record.send, record)
        finally:
            record.write()

    async def _serve(
        self,
        scope: HTTPScope,
        receive: ASGIReceiveCallable,
        send: ASGISendCallable,
        record: AccessRecord | None = None,
    ) -> None:
        received_at = time.perf_counter()
        request_id = make_request_id()
        CURRENT.set(request_id)
        watch = DisconnectWatch(receive)
        try:
            match, path = _find_route(scope)
            entry = self._open_entry(match, scope, request_id, received_at)
            if record is not None:
                record.route, record.entry = match.route, entry
            caller = None
            with entry or nullcontext(), self._draining.request():
                if self._draining.refuses:
                    await _refuse_new(match, scope, receive)
                if entry is not None:
                    with entry.span.child("authenticate"):
                        caller = await self._identify(scope, receive)
                    entry.principal = caller.principal
                identified_at = time.perf_counter()
                body = await read_body(scope, receive, self._cap_bytes(path, entry))
                request = self._build_request(scope, body, request_id, received_at)
                request.resolver_match, request.entry, request.caller = match, entry, caller
                request.authenticated_at = identified_at
                async with watch:
                    await self._respond(match, request, send)
        except ClientGone:
            logger.info("client_gone request_id=%s", request_id)
        except AnswerCut:
            logger.info("answer_cut request_id=%s", request_id)  # returning without the last bytes cuts the connection
        except GatewayError as error:
            _note(error, request_id, scope)
            await send_error(send, error, request_id, closing=self._draining.is_begun)
        except Exception:
            # The outermost edge: whatever this is, the client gets the envelope and the log gets the traceback.
            logger.exception("internal_error request_id=%s", request_id)
            failure = GatewayError(f"Internal error. Quote {request_id} to the operators.")
            await send_error(send, failure, request_id, closing=self._draining.is_begun)

    def _open_entry(self, match: ResolverMatch, scope: HTTPScope, request_id: str, received_at: float) -> Entry | None:
        """The record of a request for inference: it begins here, because not every one reaches its view."""
        operation = _OPERATIONS.get(match.url_name or "")
        if operation is None or scope["method"] != "POST":
            return None
        return self._gateway.ledger.open(
            request_id, operation, received_at, self._begin_span(match, scope, received_at)
        )

    def _begin_span(self, match: ResolverMatch, scope: HTTPScope, received_at: float) -> Span:
        tracer = self._gateway.tracer
        return tracer.begin(_describe_arrival(match, scope, received_at)) if tracer.is_on else NO_SPAN

    async def _identify(self, scope: HTTPScope, receive: ASGIReceiveCallable) -> Caller:
        """Who asks: somebody who may not come in gets no memory for a body. Raises as `Authenticator.authenticate`."""
        authorization = b",".join(value for name, value in scope["headers"] if name == b"authorization").decode(
            "latin-1"
        )
        address = scope["client"][0] if scope["client"] else ""
        try:
            return await self._gateway.authenticator.authenticate(authorization, address)
        except GatewayError:
            await _discard_body(scope, receive)
            raise

    def _cap_bytes(self, path: str, entry: Entry | None) -> int:
        if entry is not None:
            return self._gateway.max_body_bytes
        return _RELAY_CAP_BYTES if path.startswith(_RELAY_PREFIX) else _OTHER_CAP_BYTES

    def _build_request(self, scope: HTTPScope, body: bytes, request_id: str, received_at: float) -> ApiRequest:
        request = ApiRequest(scope, BytesIO(body))
        if request.method == "HEAD":
            request.method = "GET"  # the server leaves the body out (RFC 9110, 9.3.2)
        request._body = body  # noqa: SLF001 - read and capped above; Django would copy it once more
        request.gateway = self._gateway
        request.request_id = request_id
        request.received_at = received_at
        _check_host(request.META.get("HTTP_HOST", ""))
        return request

    async def _respond(self, match: ResolverMatch, request: ApiRequest, send: ASGISendCallable) -> None:
        response = await _call_view(match, request)
        if isinstance(response, EventStreamResponse):
            await send_stream(send, response, request.request_id, closing=self._draining.is_begun)
            return
        if not isinstance(response, HttpResponse):
            raise TypeError(f"the API has no use for a {type(response).__name__}")
        if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            raise MethodNotAllowed(
                f"{request.method} is not allowed here.", headers={"allow": response.headers.get("Allow", "")}
            )
        await send_response(send, response, request.request_id, closing=self._draining.is_begun)


async def _discard_body(scope: HTTPScope, receive: ASGIReceiveCallable) -> None:
    """Take a refused request's body off the wire: a client that is cut off while it sends sees no answer."""
    with suppress(RequestTooLarge, DeadlineExceeded):
        await read_body(scope, receive, 0)


async def _refuse_new(match: ResolverMatch, scope: HTTPScope, receive: ASGIReceiveCallable) -> None:
    """Raise what a new request hears while the process stops; answers under way, and probes, need their routes."""
    if not scope["path"].startswith(_RELAY_PREFIX) and match.url_name not in _OPERATORS_ROUTES:
        await _discard_body(scope, receive)
        raise build_refusal()


def _note(error: GatewayError, request_id: str, scope: HTTPScope) -> None:
    """Count the error; who was refused, and from where, is worth a line."""
    count_error(error.code)
    if isinstance(error, AuthenticationFailed | AccessDenied):
        address = scope["client"][0] if scope["client"] else ""
        logger.info("refused request_id=%s code=%s address=%s", request_id, error.code, address)


def _find_route(scope: HTTPScope) -> tuple[ResolverMatch, str]:
    """The route, with an optional trailing slash. Raises `NotFound`."""
    path = scope["path"].rstrip("/")
    try:
        return _resolve(path) if len(path) <= _MAX_CACHED else get_resolver().resolve(path), path
    except Http404:
        if "/v1/v1/" in path:
            raise NotFound(
                "The path says /v1 twice: give the SDK a base URL with /v1, or the path, not both."
            ) from None
        shown = quote(path[:200], safe="/") or "/"
        raise NotFound(f"There is no route {shown}: see /resource_server/openapi.json.") from None


@lru_cache(maxsize=1024)
def _resolve(path: str) -> ResolverMatch:
    return get_resolver().resolve(path)


@lru_cache(maxsize=256)
def _is_known_host(host: str) -> bool:
    domain, _port = split_domain_port(host)
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)


def _describe_arrival(match: ResolverMatch, scope: HTTPScope, received_at: float) -> Arrival:
    """What a trace is told of a request before anything of it is known to be true."""
    host = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
    is_known = len(host) <= _MAX_CACHED and _is_known_host(host)
    attributes = {
        "http.request.method": scope["method"],
        "http.route": f"/{match.route}",
        "url.path": scope["path"][:_MAX_CACHED],
        "url.scheme": scope["scheme"],
        **({"server.address": split_domain_port(host)[0]} if is_known else {}),
    }
    parent = find_parent([value for name, value in scope["headers"] if name == b"traceparent"])
    return Arrival(f"{scope['method']} /{match.route}", parent, received_at, attributes)


def _check_host(host: str) -> None:
    if len(host) > _MAX_CACHED or not _is_known_host(host):
        raise InvalidValue("The Host header names a host that this gateway does not serve (ALLOWED_HOSTS).")


async def _call_view(match: ResolverMatch, request: ApiRequest) -> HttpResponseBase:
    try:
        # Only Ninja's own documentation pages are not async.
        view = match.func if inspect.iscoroutinefunction(match.func) else sync_to_async(match.func)
        response: HttpResponseBase = await view(request, *match.args, **match.kwargs)
    except Http404:
        raise NotFound("There is no such route: see /resource_server/openapi.json.") from None
    except HttpError as exc:
        raise InvalidValue(str(exc)) from exc
    except ValidationError as exc:
        problem = exc.errors[0] if exc.errors else {}
        field = ".".join(str(part) for part in problem.get("loc", ())) or None
        raise InvalidValue(str(problem.get("msg", "The request is not valid.")), param=field) from exc
    return response
