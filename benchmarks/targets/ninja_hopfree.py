"""The view of `ninja_aiohttp` behind Django's own ASGI handler, without its thread hops.

What goes: the synchronous receivers of the request signals, a `ThreadSensitiveContext` per request, and the thread in
which a response is closed. All else of the handler stays, the client's leaving noticed.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from django.core.asgi import get_asgi_application
from django.core.handlers import asgi
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, reset_queries

from benchmarks.targets.ninja_aiohttp import api as api
from benchmarks.targets.ninja_aiohttp import live


def _call_in_place(function: Callable[[], None]) -> Callable[[], Awaitable[None]]:
    """What stands in for ``sync_to_async``."""

    async def call() -> None:
        function()

    return call


class HopFreeHandler(asgi.ASGIHandler):
    """Django's handler, in the event loop from end to end."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await live(receive, send)
        else:
            await self.handle(scope, receive, send)


get_asgi_application()  # sets Django up
for _signal, _receiver in (
    (request_started, reset_queries),
    (request_started, close_old_connections),
    (request_finished, close_old_connections),
):
    _signal.disconnect(_receiver)
vars(asgi)["sync_to_async"] = _call_in_place
application = HopFreeHandler()
