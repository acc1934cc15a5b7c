"""Refusals, in the shape that each Globus service gives them.

The shapes are those of `globus_sdk.testing` (Auth) and of what `globus_sdk.GlobusAPIError` parses (the others).
"""

import http.client
import uuid
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web


class ServiceError(Exception):
    """A request that a service refuses; the middleware renders it in that service's shape."""

    def __init__(self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


class OAuthError(ServiceError):
    """A refusal of the token or authorize route (RFC 6749, 5.2): `{"error": code, "error_description": …}`."""

    def __init__(self, code: str, message: str, *, status: int = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(status, code, message)


def unauthorized(message: str = "Call must be authenticated") -> ServiceError:
    """The refusal of a call without a credential that is good here."""
    headers = {"WWW-Authenticate": 'Bearer realm="api.globus.org"'}
    return ServiceError(HTTPStatus.UNAUTHORIZED, "UNAUTHORIZED", message, headers=headers)


def forbidden(message: str) -> ServiceError:
    """The refusal of a caller who is known but may not do this."""
    return ServiceError(HTTPStatus.FORBIDDEN, "FORBIDDEN", message)


def not_found(message: str) -> ServiceError:
    """The refusal of an id that names nothing."""
    return ServiceError(HTTPStatus.NOT_FOUND, "NOT_FOUND", message)


def bad_request(message: str, code: str = "BAD_REQUEST") -> ServiceError:
    """The refusal of a malformed request."""
    return ServiceError(HTTPStatus.BAD_REQUEST, code, message)


def build_error_response(service: str, error: ServiceError) -> web.Response:
    """Render `error` as `service` (`auth`, `groups`, `compute`, `admin`) would."""
    oauth = service == "auth" and isinstance(error, OAuthError)
    build_body = _oauth_body if oauth else _BODIES.get(service, _plain_body)
    return web.json_response(build_body(error), status=error.status, headers=error.headers)


def _oauth_body(error: ServiceError) -> dict[str, Any]:
    return {"error": error.code, "error_description": error.message, "errors": [_build_item(error)]}


def _auth_body(error: ServiceError) -> dict[str, Any]:
    name = _find_phrase(error.status).lower().replace(" ", "_")
    return {"errors": [_build_item(error)], "error": name, "error_description": error.message}


def _build_item(error: ServiceError) -> dict[str, str]:
    return {
        "status": str(error.status),
        "id": str(uuid.uuid4()),
        "code": error.code.upper(),
        "title": _find_phrase(error.status),
        "detail": error.message,
    }


def _find_phrase(status: int) -> str:
    return http.client.responses.get(status, "Error")


def _compute_body(error: ServiceError) -> dict[str, Any]:
    return {
        "status": "Failed",
        "code": error.code,
        "error_args": [],
        "reason": error.message,
        "message": error.message,
        "http_status_code": error.status,
    }


def _plain_body(error: ServiceError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "detail": error.message}


_BODIES: dict[str, Callable[[ServiceError], dict[str, Any]]] = {"auth": _auth_body, "compute": _compute_body}
