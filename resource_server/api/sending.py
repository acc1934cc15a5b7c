"""Putting an answer on the wire."""

from collections.abc import Iterable

from asgiref.typing import ASGISendCallable, HTTPResponseBodyEvent, HTTPResponseStartEvent
from django.http import HttpResponse
from django.http.response import HttpResponseBase

from resource_server.api.exchange import EventStreamResponse
from resource_server.domain.errors import ClientGone, GatewayError
from resource_server.state.patience import Patience

UNREAD_TIMEOUT_S = 60.0
"""How long a client may leave unread what was sent."""
_CLOSE = (b"connection", b"close")
_NO_SNIFFING = (b"x-content-type-options", b"nosniff")


async def send_response(
    send: ASGISendCallable, response: HttpResponse, request_id: str, *, closing: bool = False
) -> None:
    """A whole answer; `closing` where the connection takes no further request."""
    body = response.content
    headers = [*_encode(response), (b"content-length", str(len(body)).encode()), (b"x-request-id", request_id.encode())]
    await _send(send, response.status_code, [*headers, *_close_if(closing)], body)


async def send_error(send: ASGISendCallable, error: GatewayError, request_id: str, *, closing: bool = False) -> None:
    """A failure in its envelope. If the answer has begun, the server cuts the connection, which is the honest end."""
    body = error.encode()
    headers = [(name.encode(), value.encode("latin-1", "replace")) for name, value in error.headers.items()]
    headers += [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", request_id.encode()),
    ]
    await _send(send, error.http_status, [*headers, *_close_if(closing)], body)


async def send_stream(
    send: ASGISendCallable, response: EventStreamResponse, request_id: str, *, closing: bool = False
) -> None:
    """Events as they come; the stream is closed whatever happens.

    Raises:
        ClientGone: the client has not read for so long that its place is better given to another.
    """
    patience = Patience()
    try:
        headers = [*_encode(response), (b"x-request-id", request_id.encode()), *_close_if(closing)]
        await send(_start(response.status_code, headers))
        async for data in response.stream:
            # The server makes us wait here as soon as it holds more than a client reads (64 KiB under uvicorn).
            try:
                with patience.limit(UNREAD_TIMEOUT_S):
                    await send(_body(data, more=True))
            except TimeoutError as exc:
                raise ClientGone from exc
        await send(_body(b"", more=False))
    finally:
        patience.close()
        await response.stream.aclose()


def _close_if(closing: bool) -> tuple[tuple[bytes, bytes], ...]:  # noqa: FBT001 - a value, no switch
    return (_CLOSE,) if closing else ()


async def _send(send: ASGISendCallable, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
    await send(_start(status, headers))
    await send(_body(body, more=False))


def _encode(response: HttpResponseBase) -> list[tuple[bytes, bytes]]:
    return [
        (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in response.items()
        if name.lower() != "content-length"
    ]


def _start(status: int, headers: Iterable[tuple[bytes, bytes]]) -> HTTPResponseStartEvent:
    return {"type": "http.response.start", "status": status, "headers": [*headers, _NO_SNIFFING], "trailers": False}


def _body(data: bytes, *, more: bool) -> HTTPResponseBodyEvent:
    return {"type": "http.response.body", "body": data, "more_body": more}
