"""The server's start and stop, as ASGI tells them."""

import gc
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable

from resource_server.api.entry import ApiEntry
from resource_server.telemetry.series import DRAINING
from resource_server.wiring import Gateway

logger = logging.getLogger(__name__)


class Lifespan:
    """Opens one gateway for the life of the server process.

    Source: https://asgi.readthedocs.io/en/latest/specs/lifespan.html
    """

    def __init__(self, open_gateway: Callable[[], AbstractAsyncContextManager[Gateway]]) -> None:
        self._open_gateway = open_gateway
        self.entry: ApiEntry | None = None

    async def run(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Serve the lifespan scope until the server stops."""
        await receive()
        try:
            async with self._open_gateway() as gateway:
                self.entry = ApiEntry(gateway)
                # What start-up made lives as long as the process: the collector need not walk it again.
                gc.collect()
                gc.freeze()
                await send({"type": "lifespan.startup.complete"})
                await receive()
                DRAINING.set(to=1)
                self.entry = None
        except (OSError, ValueError) as exc:  # of the operator's making; its sentence says what to change
            logger.error("startup_failed error=%s: %s", type(exc).__name__, exc)  # noqa: TRY400
            await send({"type": "lifespan.startup.failed", "message": str(exc)})
            return
        await send({"type": "lifespan.shutdown.complete"})
