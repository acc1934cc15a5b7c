"""Where compute nodes post events. A ticket, no token; its own caps; not in OpenAPI."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

from resource_server.api.exchange import api_request
from resource_server.domain.errors import MethodNotAllowed

_BEARER = "bearer "


async def relay(request: HttpRequest, stream_id: str) -> HttpResponse:
    """Hand one message to the stream it is for, wherever that stream lives."""
    if request.method != "POST":
        raise MethodNotAllowed("Use POST here.", headers={"allow": "POST"})
    exchange = api_request(request)
    authorization = exchange.META.get("HTTP_AUTHORIZATION", "")
    ticket = authorization[len(_BEARER) :] if authorization.lower().startswith(_BEARER) else ""
    reply = await exchange.gateway.relay.ingest(stream_id, ticket, exchange.body)
    headers = {"retry-after": "1"} if reply.status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return HttpResponse(reply.body, status=reply.status, content_type="application/json", headers=headers)
