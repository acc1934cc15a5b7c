"""The ASGI entry: ``uvicorn inference_gateway.asgi:application``.

The API's routes go to a handler without middleware or thread hops; people's pages keep Django's stock chain
(docs/architecture.md). Everything with a life of its own is opened in the lifespan, never at import.
"""

import os
from typing import cast

import django
from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application
from django.core.checks import run_checks
from django.core.management.base import SystemCheckError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "inference_gateway.settings")
django.setup()

from inference_gateway.lifespan import Lifespan  # noqa: E402 - needs Django's registry
from resource_server.wiring import open_gateway  # noqa: E402

_PEOPLE = ("/resource_server/admin/", "/resource_server/operator/", "/static/")


class Application:
    """Dispatches by path."""

    def __init__(self, people: ASGI3Application) -> None:
        self._people = people
        self._lifespan = Lifespan(lambda: open_gateway(settings.ENVIRONMENT, settings.SECRET_KEY, settings.DATA_DIR))

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan.run(receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000, "reason": None})
        elif scope["path"].startswith(_PEOPLE):
            await self._people(scope, receive, send)
        elif self._lifespan.entry is None:
            raise RuntimeError("the server must run the ASGI lifespan (uvicorn: --lifespan on)")
        else:
            await self._lifespan.entry(scope, receive, send)


def _check() -> None:
    """Django runs its system checks in `manage.py` only; a server must refuse a dangerous configuration as well."""
    serious = [message for message in run_checks() if message.is_serious() and not message.is_silenced()]
    if serious:
        raise SystemCheckError("\n".join(str(message) for message in serious))


_check()
_django = get_asgi_application()
application = Application(cast("ASGI3Application", ASGIStaticFilesHandler(_django) if settings.DEBUG else _django))
