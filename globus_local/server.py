import contextlib
import socket
from collections.abc import AsyncIterator

from aiohttp import web

from globus_local.app import build_app
from globus_local.cloud import Cloud
from globus_local.loopback import bind

SHUTDOWN_S = 0.5
"""How long calls in flight may take to end once the server stops."""


@contextlib.asynccontextmanager
async def serving(cloud: Cloud) -> AsyncIterator[None]:
    """Serve `cloud` for as long as the context lasts; inside it, the cloud answers at `cloud.base_url`.

    Raises:
        NotLoopbackError: the settings name an address that is not a loopback address.
        OSError: the port is taken.
    """
    sock = bind(cloud.settings.host, cloud.settings.port)
    cloud.base_url = build_url("http", sock)
    runner = web.AppRunner(build_app(cloud), access_log=None, shutdown_timeout=SHUTDOWN_S)
    try:
        await runner.setup()
        await web.SockSite(runner, sock).start()
        yield
    finally:
        await runner.cleanup()
        sock.close()


def build_url(scheme: str, sock: socket.socket) -> str:
    """The address of a bound socket, without a trailing slash."""
    host, port = sock.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
