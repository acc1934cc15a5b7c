"""A Globus that answers by script, over real HTTP: for what a well-behaved stand-in never does."""

import asyncio
import base64
import urllib.parse
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from tests.unit.identity.fakes import GATEWAY, GROUP, OTHER_GROUP, build_document

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def answer_json(document: object, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    async def answer(_request: web.Request) -> web.Response:
        return web.json_response(document, status=status, headers=headers)

    return answer


def answer_bytes(body: bytes, headers: dict[str, str] | None = None) -> Answer:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=body, headers=headers)

    return answer


async def answer_never(_request: web.Request) -> web.Response:
    await asyncio.sleep(60)
    return web.Response()


async def answer_drop_by_drop(request: web.Request) -> web.StreamResponse:
    """Each byte in time, the whole never."""
    response = web.StreamResponse(headers={"content-length": "100000"})
    await response.prepare(request)
    for _ in range(600):
        await response.write(b" ")
        await asyncio.sleep(0.05)
    return response


async def answer_and_hang_up(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def membership(group_id: str, status: str = "active") -> dict[str, object]:
    return {"id": group_id, "name": "g", "my_memberships": [{"status": status, "role": "member"}]}


DEPENDENT = [
    {
        "access_token": "groups-token",
        "scope": "urn:globus:auth:scope:groups.api.globus.org:view_my_groups_and_memberships",
        "expires_in": 600,
        "token_type": "Bearer",
        "resource_server": "groups.api.globus.org",
    }
]


@dataclass
class Cloud:
    """Its answers by path, and the forms and credentials that came."""

    url: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    forms: list[dict[str, str]] = field(default_factory=list)
    credentials: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.answers = {
            "introspect": answer_json(build_document()),
            "token": answer_json(DEPENDENT),
            "my_groups": answer_json([membership(GROUP), membership(OTHER_GROUP, "invited")]),
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        form = dict(urllib.parse.parse_qsl((await request.read()).decode()))
        self.forms.append(form)
        self.credentials.append(request.headers.get("Authorization", ""))
        return await self.answers[request.path.rpartition("/")[2]](request)

    async def serve(self) -> web.AppRunner:
        """Listen on a free port; whoever called cleans the runner up."""
        app = web.Application()
        app.router.add_route("*", "/v2/oauth2/token/introspect", self.handle)
        app.router.add_route("*", "/v2/oauth2/token", self.handle)
        app.router.add_route("*", "/v2/groups/my_groups", self.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner


GATEWAY_CREDENTIALS = "Basic " + base64.b64encode(f"{GATEWAY}:s3cret".encode()).decode()
