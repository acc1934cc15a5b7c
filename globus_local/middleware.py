"""What every call passes through: host check, ledger, errors in each service's shape, faults."""

import asyncio
import hmac
import math
from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from globus_local.cloud import CLOUD, Cloud, parse_basic
from globus_local.errors import ServiceError, build_error_response, unauthorized
from globus_local.faults import Fault
from globus_local.ledger import Entry
from globus_local.loopback import check_host_header

AUTH_PREFIXES = ("/v2/oauth2/", "/v2/api/", "/v2/web/", "/.well-known/", "/jwk.json")
GROUPS_PREFIXES = ("/v2/groups", "/v2/memberships", "/v2/preferences", "/v2/subscription_info")
DISCONNECT_POLL_S = 0.05
MALFORMED_BODY = b'{"status": "ok", "results": [1, 2,'

SERVICE = web.RequestKey("SERVICE", str)
FAULT = web.RequestKey("FAULT", str)
DROPPED = web.RequestKey("DROPPED", bool)


def find_service(path: str) -> str:
    """Which service a path belongs to: `admin`, `auth`, `groups` or `compute`."""
    if path.startswith("/admin/"):
        return "admin"
    if path.startswith(AUTH_PREFIXES):
        return "auth"
    return "groups" if path.startswith(GROUPS_PREFIXES) else "compute"


@web.middleware
async def guard_host(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse foreign host names before anything else."""
    check_host_header(request)
    request[SERVICE] = find_service(request.path)
    return await handler(request)


@web.middleware
async def keep_ledger(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Record the call once it is answered; calls of the admin surface are not part of the record."""
    cloud = request.app[CLOUD]
    status = HTTPStatus.INTERNAL_SERVER_ERROR.value  # what aiohttp answers if the handler fails
    try:
        response = await handler(request)
        status = 0 if DROPPED in request else response.status
    finally:
        if request[SERVICE] != "admin":
            cloud.ledger.record(_build_entry(cloud, request, status))
    return response


def _build_entry(cloud: Cloud, request: web.Request, status: int) -> Entry:
    token = cloud.find_token(request)
    return Entry(
        at=cloud.clock.now(),
        service=request[SERVICE],
        method=request.method,
        path=request.path,
        status=status,
        client_id=_find_client_id(cloud, request),
        identity_id=token.sub if token else None,
        fault=request.get(FAULT),
    )


def _find_client_id(cloud: Cloud, request: web.Request) -> str | None:
    token = cloud.find_token(request)
    if token:
        return token.client_id
    credential = parse_basic(request)
    return credential.client_id if credential else None


@web.middleware
async def render_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer refusals in the shape of the service that refused."""
    try:
        return await handler(request)
    except ServiceError as exc:
        return build_error_response(request[SERVICE], exc)
    except web.HTTPException as exc:
        code = exc.reason.upper().replace(" ", "_")
        return build_error_response(request[SERVICE], ServiceError(exc.status, code, exc.text or exc.reason))


@web.middleware
async def guard_admin(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every `/admin/` route needs the admin token: other users of the machine can reach the port, too."""
    if request[SERVICE] == "admin":
        expected = f"Bearer {request.app[CLOUD].admin_token}".encode()
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), expected):
            raise unauthorized("The admin token is needed: it is in the state file of `globus_local serve`")
    return await handler(request)


@web.middleware
async def misbehave(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Apply the rate limit and the first matching fault; the admin surface is spared."""
    cloud = request.app[CLOUD]
    service = request[SERVICE]
    if service == "admin":
        return await handler(request)
    wait_s = cloud.faults.rate_limit.admit(service, _find_client_id(cloud, request) or "", cloud.clock.now())
    if wait_s:
        headers = {"Retry-After": str(math.ceil(wait_s))}
        raise ServiceError(HTTPStatus.TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS", "Rate limit exceeded", headers=headers)
    fault = cloud.faults.take(service, request.method, request.path)
    if fault is None:
        return await handler(request)
    request[FAULT] = fault.id
    return await _apply(fault, request, handler)


async def _apply(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    if fault.action == "delay":
        await asyncio.sleep(fault.delay_s)
        return await handler(request)
    if fault.action == "malformed":
        return web.Response(status=fault.answer_status, body=MALFORMED_BODY, content_type="application/json")
    if fault.action == "status":
        return _build_fault_response(fault, request[SERVICE])
    if fault.action == "hang":
        await _wait_until_client_leaves(request)
    return _drop(request)


def _build_fault_response(fault: Fault, service: str) -> web.Response:
    headers = {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}
    if fault.body is None:
        error = ServiceError(fault.answer_status, "INJECTED_FAULT", "Fault injected by globus_local", headers=headers)
        return build_error_response(service, error)
    if isinstance(fault.body, str):
        return web.Response(status=fault.answer_status, text=fault.body, headers=headers)
    body: Any = fault.body
    return web.json_response(body, status=fault.answer_status, headers=headers)


async def _wait_until_client_leaves(request: web.Request) -> None:
    while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110  (aiohttp has no such event)
        await asyncio.sleep(DISCONNECT_POLL_S)


def _drop(request: web.Request) -> web.Response:
    request[DROPPED] = True
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


MIDDLEWARES = (guard_host, keep_ledger, render_errors, guard_admin, misbehave)
"""Outermost first."""
