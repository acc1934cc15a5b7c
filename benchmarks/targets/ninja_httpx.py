"""The usual way: a Django-Ninja view with httpx behind Django's own ASGI handler.

It runs under uvicorn, with MOCK_URL in its environment.
"""

import os
from collections.abc import AsyncIterator

import httpx
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import path
from ninja import NinjaAPI

api = NinjaAPI(openapi_url=None)
_URL = os.environ.get("MOCK_URL", "") + "/v1/chat/completions"
_client = httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=None, max_keepalive_connections=None))


@api.post("/chat/completions")
async def chat(request: HttpRequest) -> HttpResponseBase:
    """Pass the body on, and the answer back."""
    upstream = _client.build_request("POST", _URL, content=request.body, headers={"Content-Type": "application/json"})
    response = await _client.send(upstream, stream=True)
    content_type = response.headers["content-type"]
    if content_type.startswith("text/event-stream"):
        return StreamingHttpResponse(_pass_on(response), status=response.status_code, content_type=content_type)
    return HttpResponse(await response.aread(), status=response.status_code, content_type=content_type)


async def _pass_on(response: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for data in response.aiter_raw():
            yield data
    finally:
        await response.aclose()


urlpatterns = [path("v1/", api.urls)]
application = get_asgi_application()
