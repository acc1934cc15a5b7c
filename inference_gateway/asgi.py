"""The ASGI entry: ``uvicorn inference_gateway.asgi:application``.

The API's routes go to a handler without middleware or thread hops; people's pages keep Django's stock chain
(docs/architecture.md). Everything with a life of its own is opened in the lifespan, never at import.
"""

import os
from collections.abc import Sequence
from typing import cast

import django
from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGIReceiveEvent, ASGISendCallable, HTTPScope, Scope
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application
from django.core.checks import CheckMessage, run_checks
from django.core.management.base import SystemCheckError
from django.http import Http404
from django.urls import resolve

from resource_server.checks.rules import find_problems

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "inference_gateway.settings")


def _refuse(messages: Sequence[CheckMessage]) -> None:
    """Raise `SystemCheckError` where a server must not start."""
    serious = [message for message in messages if message.is_serious() and not message.is_silenced()]
    if serious:
        raise SystemCheckError("\n".join(str(message) for message in serious))


_refuse(find_problems(settings.ENVIRONMENT))  # before anything else is imported: it is said at once
django.setup()

from inference_gateway.lifespan import Lifespan  # noqa: E402 - needs Django's registry
from resource_server.api.access_log import AccessRecord  # noqa: E402
from resource_server.api.reading import read_body  # noqa: E402
from resource_server.api.sending import send_error  # noqa: E402
from resource_server.domain.errors import ClientGone, GatewayError  # noqa: E402
from resource_server.domain.request_id import CURRENT, make_request_id  # noqa: E402
from resource_server.sign_in.bridge import REQUEST_ID_KEY, SCOPE_KEY  # noqa: E402
from resource_server.wiring import open_gateway  # noqa: E402

_PEOPLE_CAP_BYTES = 2 * 1024 * 1024
_PEOPLE = (
    *("/resource_server/admin/", "/resource_server/operator/", "/resource_server/ui/"),
    *("/login/", "/complete/", "/sign-out/", "/static/"),
)


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
        elif f"{scope['path']}/".startswith(_PEOPLE):
            await self._serve_people(scope, receive, send)
        elif self._lifespan.entry is None:
            raise RuntimeError("the server must run the ASGI lifespan (uvicorn: --lifespan on)")
        else:
            await self._lifespan.entry(scope, receive, send)

    async def _serve_people(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Django writes a body of any size to the disk before it knows who sends it: read it here, counted."""
        if f"{scope['path']}/" in _PEOPLE:  # as typed by hand
            scope = {**scope, "path": f"{scope['path']}/"}
        request_id, record = make_request_id(), AccessRecord(scope, send)
        CURRENT.set(request_id)
        record.route = _find_template(scope["path"])
        scope = cast("HTTPScope", {**scope, SCOPE_KEY: self._lifespan.bridge, REQUEST_ID_KEY: request_id})
        try:
            with self._lifespan.under_way():
                body = await read_body(scope, receive, _PEOPLE_CAP_BYTES)
                await self._people(scope, _replay(body, receive), record.send)
        except GatewayError as error:
            await send_error(record.send, error, request_id)
        except ClientGone:
            return
        finally:
            if settings.ENVIRONMENT.flag("ACCESS_LOG"):
                record.write()


def _replay(body: bytes, receive: ASGIReceiveCallable) -> ASGIReceiveCallable:
    """What `receive` would have said, had nobody listened before."""
    unread = [body]

    async def replayed() -> ASGIReceiveEvent:
        return {"type": "http.request", "body": unread.pop(), "more_body": False} if unread else await receive()

    return replayed


def _find_template(path: str) -> str:
    """The route's template, without what the path fills in; empty where Django's URLs have none."""
    try:
        return resolve(path).route
    except Http404:
        return ""


_refuse(run_checks())  # Django runs its system checks in `manage.py` only
_django = get_asgi_application()
application = Application(cast("ASGI3Application", ASGIStaticFilesHandler(_django) if settings.DEBUG else _django))
