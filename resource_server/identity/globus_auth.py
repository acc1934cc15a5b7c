"""Globus Auth and Groups over HTTPS: the seam. Nothing of the SDK, of requests or of HTTP leaves this module.

The SDK is synchronous: it runs in a small pool of threads of its own. Where Globus is, the SDK's documented environment
variables say (``GLOBUS_SDK_SERVICE_URL_AUTH`` and the like).
API: https://docs.globus.org/api/auth/reference/ and https://docs.globus.org/api/groups/
"""

import asyncio
import io
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, TypeVar

import requests
from globus_sdk import (
    AccessTokenAuthorizer,
    ConfidentialAppAuthClient,
    GlobusAPIError,
    GlobusError,
    GroupsClient,
    NetworkError,
)
from globus_sdk.gare import to_gare
from globus_sdk.transport import RequestsTransport, RetryConfig
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from resource_server.identity.base import AnswerUnusable, ConsentMissing, GlobusFailure, GlobusUnavailable, TokenRefused
from resource_server.identity.settings import GROUPS_SCOPE, IdentitySettings
from resource_server.telemetry.globus_call import GlobusCall

logger = logging.getLogger(__name__)

T = TypeVar("T")

_MAX_ANSWER_BYTES = 1 << 22
"""Somebody may be in thousands of groups, each with its description."""
_MAX_INTROSPECTION_BYTES = 1 << 18
_COME_BACK_LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
_LONGEST_RETRY_AFTER_S = 3600.0
_GROUPS_SERVER = "groups.api.globus.org"


class GlobusAuth:
    """The gateway's confidential application at Globus. Making it calls nobody."""

    def __init__(self, settings: IdentitySettings) -> None:
        self._settings = settings
        self._pool = ThreadPoolExecutor(settings.threads, thread_name_prefix="globus-auth")
        self._transport = _build_transport(settings)
        self._auth = ConfidentialAppAuthClient(
            settings.application_id,
            settings.application_secret,
            transport=self._transport,
            retry_config=_build_retry_config(),
        )

    async def introspect(self, token: str) -> object:
        """The introspection document, session and identity set included. Raises `GlobusUnavailable`."""
        return await self._run("introspect", lambda: self._introspect(token))

    async def active_group_ids(self, token: str) -> list[str]:
        """Groups of the token's subject. Raises `GlobusUnavailable`, `TokenRefused`, `ConsentMissing`."""
        return await self._run("groups", lambda: self._active_group_ids(token))

    async def aclose(self) -> None:
        """Wait for calls under way (their timeouts bound it), then close threads and connections."""
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)
        self._transport.close()

    async def _run(self, operation: str, call: Callable[[], T]) -> T:
        with GlobusCall(operation) as counted:
            try:
                return await asyncio.get_running_loop().run_in_executor(self._pool, _converted, call)
            except (TokenRefused, ConsentMissing):
                counted.refused()
                raise

    def _introspect(self, token: str) -> object:
        form = {"token": token, "include": "session_info,identity_set_detail"}
        if self._settings.policy_ids:  # the SDK's own method has no parameter for policies
            form["authentication_policies"] = ",".join(sorted(self._settings.policy_ids))
        answer = self._auth.post("/v2/oauth2/token/introspect", data=form, encoding="form")
        if len(answer.binary_content) > _MAX_INTROSPECTION_BYTES:
            raise AnswerUnusable("the introspection's answer is too long")
        return answer.data

    def _active_group_ids(self, token: str) -> list[str]:
        tokens = self._auth.oauth2_get_dependent_tokens(token, scope=GROUPS_SCOPE).by_resource_server
        if _GROUPS_SERVER not in tokens:
            raise AnswerUnusable("the dependent token grant holds no token for Groups")
        groups = GroupsClient(
            authorizer=AccessTokenAuthorizer(tokens[_GROUPS_SERVER]["access_token"]),
            transport=self._transport,
            retry_config=_build_retry_config(),
        )
        return _parse_active_groups(groups.get_my_groups().data)


def _parse_active_groups(document: object) -> list[str]:
    """Ids of the groups in which one of the person's identities is an active member."""
    if not isinstance(document, list):
        raise AnswerUnusable("the list of groups is not a list")
    return [
        group["id"].lower()
        for group in document
        if isinstance(group, Mapping) and isinstance(group.get("id"), str) and _is_active_member(group)
    ]


def _is_active_member(group: Mapping[str, object]) -> bool:
    memberships = group.get("my_memberships")
    return isinstance(memberships, list) and any(
        isinstance(membership, Mapping) and membership.get("status") == "active" for membership in memberships
    )


def _converted(call: Callable[[], T]) -> T:
    """Run `call`; whatever the SDK raises becomes one of ours."""
    try:
        return call()
    except GlobusAPIError as exc:
        raise _failure_from_answer(exc) from exc
    except NetworkError as exc:
        raise GlobusUnavailable(str(exc)) from exc
    except (GlobusError, KeyError, TypeError, ValueError) as exc:  # what the SDK does with answers it does not expect
        raise AnswerUnusable(f"unknown shape: {type(exc).__name__}") from exc


def _failure_from_answer(error: GlobusAPIError) -> GlobusFailure:
    """What a 4xx or 5xx means. Only Globus's own words about the caller's token are the caller's business."""
    document = error.raw_json if isinstance(error.raw_json, dict) else {}
    requirement = to_gare(error)
    if requirement is not None and requirement.code == "ConsentRequired":
        return ConsentMissing(requirement.authorization_parameters.required_scopes or [])
    if document.get("error") == "invalid_grant":
        return TokenRefused("the token is no longer honoured")
    if error.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR or error.http_status in _COME_BACK_LATER:
        return GlobusUnavailable(f"status {error.http_status}", _retry_after_s(error.headers))
    code = str(document.get("error") or error.code)[:100]
    logger.error(
        "Globus refused the gateway: status=%s code=%s; check GLOBUS_APPLICATION_ID, its secret, GLOBUS_POLICIES",
        error.http_status,
        code,
    )
    failure = GlobusUnavailable if error.http_status == HTTPStatus.UNAUTHORIZED else AnswerUnusable
    return failure(f"status {error.http_status}, code {code}")


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    value = headers.get("Retry-After", "")
    return min(float(value), _LONGEST_RETRY_AFTER_S) if value.isascii() and value.isdigit() else None


def _build_retry_config() -> RetryConfig:
    """One more try after a broken connection; a status is an answer, and `Breaker` honours its Retry-After."""
    return RetryConfig(
        max_retries=1,
        max_sleep=0.1,
        retry_after_status_codes=(),
        transient_error_status_codes=(),
    )


def _build_transport(settings: IdentitySettings) -> RequestsTransport:
    transport = RequestsTransport(http_timeout=settings.call_timeout_s)
    for scheme in ("https://", "http://"):
        transport.session.mount(scheme, _BoundedAdapter(settings.call_timeout_s, settings.threads))
    return transport


class _AnswerRefused(requests.RequestException):
    """The answer is too long, or comes too slowly."""


class _BoundedAdapter(HTTPAdapter):
    """Reads answers up to a size and a deadline: a timeout of requests bounds one read, not the whole answer."""

    def __init__(self, deadline_s: float, connections: int) -> None:
        super().__init__(pool_connections=2, pool_maxsize=connections)
        self._deadline_s = deadline_s

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """As the base class, with the body read."""
        ends_at = time.monotonic() + self._deadline_s
        response = super().send(request, *args, **{**options, "stream": True})
        response.raw = io.BytesIO(_read_bounded(response, ends_at))
        return response


def _read_bounded(response: requests.Response, ends_at: float) -> bytes:
    body = bytearray()
    try:
        while chunk := response.raw.read1(1 << 16, decode_content=True):
            body += chunk
            if len(body) > _MAX_ANSWER_BYTES or time.monotonic() > ends_at:
                response.close()
                raise _AnswerRefused("answer too long or too slow")
    except HTTPError as exc:
        raise requests.ConnectionError(exc) from exc
    return bytes(body)
