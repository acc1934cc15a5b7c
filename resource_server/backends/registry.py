"""The one place that names the backends. A row's ``backend`` is a key of this table, never a path to code."""

import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from resource_server.backends.base import Backend
from resource_server.backends.openai_http.backend import OpenAIHTTPBackend
from resource_server.backends.openai_http.session import build_session
from resource_server.backends.simulated import SimulatedBackend
from resource_server.domain.targets import Target
from resource_server.relay.base import Relay
from resource_server.state.base import State


@asynccontextmanager
async def open_backends(
    state: State, relay: Relay, targets: Callable[[], Iterable[Target]]
) -> AsyncIterator[Mapping[str, Backend]]:
    """Every backend by its kind, closed at the end."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(build_session())
        backends: dict[str, Backend] = {
            "openai_http": OpenAIHTTPBackend(session, os.environ),
            "simulated": SimulatedBackend(),
        }
        for backend in backends.values():
            stack.push_async_callback(backend.aclose)
        yield backends
