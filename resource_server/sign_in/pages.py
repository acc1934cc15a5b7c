"""Pages that say why somebody cannot go on."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from resource_server.domain.errors import GatewayError


def refuse(request: HttpRequest, error: GatewayError) -> HttpResponse:
    """The error's own words and status; its text holds no secret and no address."""
    response = render(request, "sign_in/refused.html", {"reason": str(error), "code": error.code}, status=error.status)
    response["Cache-Control"] = "no-store"
    if error.retry_after_s is not None:
        response["Retry-After"] = str(error.retry_after_s)
    return response
