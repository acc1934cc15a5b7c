"""Every failure of the operator API in the one envelope of the gateway."""

import logging
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from resource_server.domain.errors import (
    AccessDenied,
    AuthenticationFailed,
    DatabaseUnavailable,
    GatewayError,
    InvalidValue,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    UnsupportedMediaType,
)
from resource_server.operator_api.authentication import CsrfFailed
from resource_server.operator_api.base import find_request_id
from resource_server.services.metrics import count_error

logger = logging.getLogger(__name__)

NON_FIELD = "non_field_errors"
NOTHING_HERE = "There is nothing here, or it is not open to you: GET /resource_server/operator/ lists what is."
_MAX_MESSAGE = 2000


_CONVERSIONS: tuple[tuple[tuple[type[Exception], ...], type[GatewayError], str], ...] = (
    ((Http404, exceptions.NotFound), NotFound, NOTHING_HERE),
    (
        (exceptions.NotAuthenticated,),
        AuthenticationFailed,
        "Sign in, or send the header 'Authorization: Bearer <Globus access token>'.",
    ),
    ((CsrfFailed,), AccessDenied, "A change by a browser's session needs the page's token in the header X-CSRFToken."),
    ((PermissionDenied, exceptions.PermissionDenied), AccessDenied, "Your role does not allow this."),
    (
        (IntegrityError,),
        InvalidValue,
        "Another row has this name, key or slug already: it may have got it just now.",
    ),
    (
        (OperationalError, InterfaceError),
        DatabaseUnavailable,
        "The database does not answer in time. Try again, or ask for a shorter time.",
    ),
    ((exceptions.MethodNotAllowed,), MethodNotAllowed, ""),
    (
        (exceptions.UnsupportedMediaType,),
        UnsupportedMediaType,
        "The body is JSON: send the header 'Content-Type: application/json'.",
    ),
    ((exceptions.NotAcceptable,), NotAcceptable, "Answers are application/json or text/html: ask for one of them."),
    ((exceptions.ParseError,), InvalidValue, ""),
)
"""What others raise → what it is here; without a message, theirs. The first that fits counts."""


def answer_failure(failure: Exception, context: dict[str, Any]) -> Response:
    """The answer to whatever a view raised; REST framework's ``EXCEPTION_HANDLER``."""
    set_rollback()
    error = convert(failure)
    if type(error) is GatewayError:
        request_id = find_request_id(context["request"])
        logger.error("internal_error request_id=%s", request_id, exc_info=failure)
        error = GatewayError(f"Internal error. Quote {request_id} to those who run the gateway.")
    count_error(error.code)
    headers = error.headers
    if isinstance(failure, exceptions.MethodNotAllowed):
        headers["allow"] = ", ".join(context["view"].allowed_methods)
    return Response(error.envelope(), status=error.http_status, headers=headers)


def convert(failure: Exception) -> GatewayError:
    """The failure in the gateway's own tree; the tree's root where it is none that anybody expects."""
    if isinstance(failure, GatewayError):
        return failure
    if isinstance(failure, exceptions.ValidationError):
        return build_invalid(failure.detail)
    if isinstance(failure, ValidationError):  # a filter's value that its column refuses
        return build_invalid({NON_FIELD: failure.messages})
    for kinds, error, message in _CONVERSIONS:
        if isinstance(failure, kinds):
            return error(message or str(failure))
    return GatewayError(type(failure).__name__)


def build_invalid(detail: Any) -> InvalidValue:
    """One sentence for people, the first field in `param`, and beside the envelope all of them by field."""
    fields = detail if isinstance(detail, dict) else {NON_FIELD: detail}
    sentences = {name: list(_sentences(name, value)) for name, value in fields.items()}
    everything = " ".join(sentence for each in sentences.values() for sentence in each)
    named = [name for name in sentences if name != NON_FIELD]
    message = everything if len(everything) <= _MAX_MESSAGE else f"{everything[:_MAX_MESSAGE]}…"
    return InvalidValue(message, param=named[0] if named else None, extra={"fields": sentences})


def _sentences(name: str, detail: Any) -> Iterator[str]:
    """Each says which field, or which place in it, it is about."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            yield from _sentences(f"{name}.{key}", value)
    elif isinstance(detail, list):
        for value in detail:
            yield from _sentences(name, value)
    else:
        text = str(detail)
        is_named = text.startswith((f"{name}:", f"{name}.", f"{name}["))
        yield text if is_named or name == NON_FIELD else f"{name}: {text}"
