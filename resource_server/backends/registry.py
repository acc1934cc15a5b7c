"""The one place that names the backends. A row's ``backend`` is a key of this table, never a path to code."""

import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from resource_server.backends.base import Backend, FunctionRunner
from resource_server.backends.direct.backend import DirectBackend
from resource_server.backends.globus_compute.backend import GlobusComputeBackend
from resource_server.backends.globus_compute.client import SDKComputeService
from resource_server.backends.globus_compute.service import ComputeService
from resource_server.backends.globus_compute.settings import GlobusComputeSettings
from resource_server.backends.openai_http.backend import OpenAIHTTPBackend
from resource_server.backends.openai_http.session import build_session
from resource_server.backends.simulated import SimulatedBackend
from resource_server.domain.targets import GlobusComputeTarget, Target
from resource_server.relay.base import Relay
from resource_server.state.base import State


def build_compute_service(settings: GlobusComputeSettings) -> ComputeService:
    """The Globus Compute web service alone, for commands; whoever asks closes it."""
    return SDKComputeService(settings)


@asynccontextmanager
async def open_backends(
    compute: GlobusComputeSettings,
    state: State,
    relay: Relay,
    targets: Callable[[], Iterable[Target]],
    find_host: Callable[[GlobusComputeTarget], str | None] = lambda _target: None,
) -> AsyncIterator[tuple[Mapping[str, Backend], FunctionRunner]]:
    """Every backend by its kind, and the one that runs functions, closed at the end.

    `targets` are the catalogue's, whenever it is called; `find_host` tells which node serves one, as far as is known.
    """
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(build_session())
        globus_compute = GlobusComputeBackend(compute, relay, state, targets)
        openai_http = OpenAIHTTPBackend(session, os.environ)
        backends: dict[str, Backend] = {
            "globus_compute": DirectBackend(globus_compute, openai_http, find_host),
            "openai_http": openai_http,
            "simulated": SimulatedBackend(),
        }
        for backend in backends.values():
            stack.push_async_callback(backend.aclose)
        globus_compute.start()
        yield backends, globus_compute
