"""Pages with the button to Globus: to sign in, and to be told why one cannot go on."""

from collections.abc import Mapping

from csp.decorators import csp_replace
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from resource_server.domain.errors import GatewayError

_lets_sign_in = csp_replace({"form-action": ["'self'", "https:", settings.GLOBUS_AUTH_URL]})
"""Browsers hold the policy against every redirect in which a form ends, and Globus may send people on to their own
identity provider, whose address nobody here knows."""


def show(request: HttpRequest, name: str, context: Mapping[str, object], status: int = 200) -> HttpResponse:
    """The page of this name."""
    response = render(request, f"sign_in/{name}.html", dict(context), status=status)
    _lets_sign_in(lambda _request: response)(request)
    response["Cache-Control"] = "no-store"
    return response


def refuse(request: HttpRequest, error: GatewayError) -> HttpResponse:
    """The error's own words and status; its text holds no secret and no address."""
    response = show(request, "refused", {"reason": str(error), "code": error.code}, error.status)
    if error.retry_after_s is not None:
        response["Retry-After"] = str(error.retry_after_s)
    return response
