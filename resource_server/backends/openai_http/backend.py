"""The backend for frameworks that are reachable by HTTP, as vLLM, llama.cpp and others serve the OpenAI API."""

import asyncio
import ssl
import time
from collections.abc import Mapping
from http import HTTPStatus

import aiohttp

from resource_server.backends.base import Call, UpstreamTimeout, UpstreamUnavailable
from resource_server.backends.openai_http.route import Route
from resource_server.backends.openai_http.upstream import MAX_ANSWER_BYTES, HTTPUpstream, describe
from resource_server.domain.states import ModelState
from resource_server.domain.targets import OpenAIHTTPTarget, Target


class OpenAIHTTPBackend:
    """See `backends.base.Backend`.

    Args:
        session: from `build_session`; whoever opened it closes it.
        environ: where the targets' `api_key_variable` are looked up.
    """

    starts_models = False

    def __init__(
        self,
        session: aiohttp.ClientSession,
        environ: Mapping[str, str],
    ) -> None:
        self._session = session
        self._environ = environ
        self._routes: dict[tuple[str, str, str, str], Route] = {}
        self._ssl_contexts: dict[str, ssl.SSLContext] = {}
        self._ssl_lock = asyncio.Lock()

    async def open(self, call: Call) -> HTTPUpstream:
        """Send the call and wait for the status; see `backends.base.Backend.open`."""
        response = await self._send(self._get_route(call.target), call)
        max_bytes = None if call.stream and response.status == HTTPStatus.OK else MAX_ANSWER_BYTES
        return HTTPUpstream(response, deadline=call.deadline, max_bytes=max_bytes)

    def state(self, target: Target) -> ModelState:  # noqa: ARG002 - the protocol's signature
        """`hot`: whether an address answers shows when it is asked, and `services.traffic` remembers that."""
        return ModelState.HOT

    async def aclose(self) -> None:
        """Nothing to release: the session belongs to whoever opened it."""

    def _get_route(self, target: Target) -> Route:
        if not isinstance(target, OpenAIHTTPTarget):
            raise TypeError(f"no openai_http target: {target!r}")
        key = (target.cluster, target.framework, target.model, target.base_url)
        route = self._routes.get(key)
        if route is None:
            route = self._routes[key] = Route(target, self._environ)
        elif route.target is not target:
            route.update(target)
        return route

    async def _send(self, route: Route, call: Call) -> aiohttp.ClientResponse:
        left_s = call.deadline - time.monotonic()
        try:
            async with asyncio.timeout(left_s):
                response = await self._session.post(
                    route.url(call.operation),
                    data=call.body,
                    headers=route.headers(call.request_id, call.traceparent),
                    allow_redirects=False,
                    ssl=await self._get_ssl(route.target.ca_file),
                )
        except aiohttp.ClientError as exc:
            raise UpstreamUnavailable(f"{route.target.base_url}: {describe(exc)}") from exc
        except TimeoutError as exc:
            raise UpstreamTimeout("the deadline passed before the answer's status") from exc
        _check_answer(response)
        return response

    async def _get_ssl(self, ca_file: str) -> ssl.SSLContext | bool:
        """How to verify the framework's certificate: by the system's authorities (True) or by a private one."""
        if not ca_file:
            return True
        async with self._ssl_lock:
            if ca_file not in self._ssl_contexts:
                try:
                    context = await asyncio.to_thread(ssl.create_default_context, cafile=ca_file)
                except OSError as exc:
                    raise UpstreamUnavailable(f"{ca_file}: {exc}") from exc
                self._ssl_contexts[ca_file] = context
        return self._ssl_contexts[ca_file]


def _check_answer(response: aiohttp.ClientResponse) -> None:
    """Refuse, before anything of it is passed on, what is no answer of the framework to this request."""
    if HTTPStatus.MULTIPLE_CHOICES <= response.status < HTTPStatus.BAD_REQUEST:
        problem = f"redirects ({response.status}): correct the base_url"
    elif response.headers.get("Content-Encoding", "identity").lower() != "identity":
        problem = "answered with a Content-Encoding, although identity was asked for"
    else:
        return
    response.close()
    raise UpstreamUnavailable(f"{response.url} {problem}")
