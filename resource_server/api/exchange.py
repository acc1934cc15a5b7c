"""One HTTP exchange inside the API: the request as Ninja sees it, with what the entry put beside it."""

from typing import TYPE_CHECKING, cast

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from resource_server.domain.replies import Reply, StreamReply
from resource_server.identity.base import Caller
from resource_server.services.ledger import Entry
from resource_server.wiring import Gateway

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class ApiRequest(ASGIRequest):
    """A request on the API's own path through the server.

    Attributes:
        gateway: everything that `wiring` made.
        request_id: the gateway's own id, which every answer carries.
        received_at: `time.perf_counter()` when the entry was called.
        authenticated_at: the same when the caller was known.
        entry: the record of this request, where it asks for inference.
        caller: who asks, where the entry had to know before it read the body.
        auth: the caller, set by Ninja once `GlobusBearer` has let them in.
    """

    gateway: Gateway
    request_id: str
    received_at: float
    authenticated_at: float
    entry: Entry | None
    caller: Caller | None
    auth: Caller


def api_request(request: HttpRequest) -> ApiRequest:
    """The same object by its real type: the entry makes no other."""
    return cast("ApiRequest", request)


class EventStreamResponse(StreamingHttpResponse):
    """A response whose stream the entry reads and, whatever happens, closes."""

    def __init__(self, reply: StreamReply) -> None:
        super().__init__(
            cast("AsyncIterator[bytes]", reply.stream),
            status=reply.status,
            content_type=reply.content_type,
            headers={
                **reply.headers,
                "cache-control": "no-cache, no-transform",
                "x-accel-buffering": "no",
            },
        )
        self.stream = reply.stream


def build_response(reply: Reply | StreamReply) -> HttpResponse | EventStreamResponse:
    """The Django response for a use case's reply."""
    if isinstance(reply, StreamReply):
        return EventStreamResponse(reply)
    return HttpResponse(reply.body, status=reply.status, content_type=reply.content_type, headers=dict(reply.headers))
