"""The least that Django-Ninja and aiohttp can do: a view that passes a chat on, without hops, and nothing else.

Served the way the gateway serves its API (`resource_server.api.entry`): no middleware, no threads, the client's leaving
noticed. No authentication, no catalogue, no accounting, no usage tap: what the gateway costs beside it is governance.
It runs under uvicorn, with MOCK_URL in its environment.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from functools import lru_cache
from io import BytesIO

import aiohttp
from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch, get_resolver, path
from ninja import NinjaAPI

api = NinjaAPI(openapi_url=None)


class _Upstream:
    """The process's session; opened by the lifespan."""

    session: aiohttp.ClientSession
    url = os.environ.get("MOCK_URL", "") + "/v1/chat/completions"


@api.post("/chat/completions")
async def chat(request: HttpRequest) -> HttpResponseBase:
    """Pass the body on, and the answer back."""
    headers = {"Content-Type": "application/json"}
    response = await _Upstream.session.post(_Upstream.url, data=request.body, headers=headers)
    if response.content_type == "text/event-stream":
        return StreamingHttpResponse(_pass_on(response), status=response.status, content_type=response.content_type)
    return HttpResponse(await response.read(), status=response.status, content_type=response.content_type)


async def _pass_on(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for data in response.content.iter_any():
            yield data
    finally:
        response.close()


@lru_cache(maxsize=64)
def _resolve(route: str) -> ResolverMatch:
    return get_resolver().resolve(route)


async def application(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """The ASGI application."""
    if scope["type"] == "lifespan":
        await live(receive, send)
    elif scope["type"] == "http":
        await _answer(scope, receive, send)


async def live(receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Open the session for as long as the server runs."""
    await receive()
    _Upstream.session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=None, connect=5),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    )
    async with _Upstream.session:
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def _answer(scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return
        body += message["body"]
        if not message["more_body"]:
            break
    request = ASGIRequest(scope, BytesIO(body))
    request._body = body  # noqa: SLF001 - read already, as the gateway does
    match = _resolve(scope["path"])
    work = asyncio.current_task()
    watch = asyncio.create_task(_cancel_when_gone(receive, work), name="disconnect watch")
    try:
        await _send(send, await match.func(request, *match.args, **match.kwargs))
    finally:
        watch.cancel()


async def _cancel_when_gone(receive: ASGIReceiveCallable, work: asyncio.Task[None] | None) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    if work is not None:
        work.cancel()


async def _send(send: ASGISendCallable, response: HttpResponseBase) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in response.items()]
    if isinstance(response, HttpResponse):
        headers.append((b"content-length", str(len(response.content)).encode()))
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers, "trailers": False})
    if isinstance(response, StreamingHttpResponse):
        async for data in response:
            await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    elif isinstance(response, HttpResponse):
        await send({"type": "http.response.body", "body": response.content, "more_body": False})


urlpatterns = [path("v1/", api.urls)]  # at the end: Ninja freezes its routes here
