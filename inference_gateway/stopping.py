"""SIGTERM begins a drain, whichever server runs the gateway; the server hears of it when the drain has ended.

uvicorn would close its listeners and its idle connections at once: requests just on their way would be cut, and what
compute nodes post would find nobody. So the signal is kept from it until nothing is under way (docs/adr/0045).
"""

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

from uvicorn import Server

from resource_server.services.draining import Draining
from resource_server.services.presence import Phase, Presence
from resource_server.state.background import Background

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
"""How often the others are looked for while there is something to wait for."""
IDLE_LOOK_EVERY_S = 0.1
"""The same where nothing is under way."""
REPLACED_WITHIN_S = 60.0
"""How long a process that is being replaced goes on serving until its successors do."""
LAST_WORDS_S = 5.0
"""How long requests have for their error once the time is over."""
CLOSE_WITHIN_S = 10.0
"""How long the server then waits for connections, where it has no bound of its own."""


@asynccontextmanager
async def draining_on_sigterm(draining: Draining, presence: Presence) -> AsyncIterator[None]:
    """Within the block SIGTERM drains this process. Outside the main thread, where no signal arrives, nothing does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    previous = signal.getsignal(signal.SIGTERM)
    background = Background()
    drain = Drain(draining, presence, Listener(_find_server(previous)), lambda: _pass_on(previous))

    def begin() -> None:
        if not draining.is_begun:  # gunicorn says it again and again while it waits
            draining.begin()
            background.start("drain", drain.run())

    signal.signal(signal.SIGTERM, lambda _number, _frame: loop.call_soon_threadsafe(begin))
    background.start("show presence", drain.show_presence())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
        await background.aclose()
        await asyncio.to_thread(presence.leave)


class Listener:
    """What is known of the server's socket; nothing, where it is no uvicorn."""

    def __init__(self, server: Server | None) -> None:
        self._server = server

    def find_name(self) -> str | None:
        """The listening socket's inode, the same in every process that shares it; `None` before the server listens."""
        if self._server is None or not self._server.started:
            return None
        sockets = [socket for server in self._server.servers for socket in server.sockets]
        return str(os.fstat(sockets[0].fileno()).st_ino) if sockets else None

    def close(self) -> None:
        """Accept no more connections; others on the same socket still do."""
        for server in self._server.servers if self._server else ():
            server.close()

    def is_replaced(self) -> bool:
        """Whether other processes are starting to take this one's place."""
        is_replaced: Callable[[], bool] | None = getattr(self._server, "is_replaced", None)
        return is_replaced is not None and is_replaced()

    def linger_s(self) -> float:
        """Seconds after which a connection that nobody used has closed itself; 0 where there is none."""
        if self._server is None or not self._server.server_state.connections:
            return 0.0
        return self._server.config.timeout_keep_alive + 1.0

    def bound_shutdown(self) -> None:
        """See to it that the server's own shutdown ends: a client that does not read must not hold it."""
        if self._server is not None and self._server.config.timeout_graceful_shutdown is None:
            self._server.config.timeout_graceful_shutdown = int(CLOSE_WITHIN_S)


class Drain:
    """What a process does between SIGTERM and its end."""

    def __init__(self, draining: Draining, presence: Presence, listener: Listener, pass_on: Callable[[], None]) -> None:
        self._draining = draining
        self._presence = presence
        self._listener = listener
        self._pass_on = pass_on
        self._phase = Phase.SERVING
        self._name: str | None = None
        self._idle_since: float | None = None
        self._showing = asyncio.Lock()

    async def show_presence(self) -> None:
        """Say that this process serves, once its server listens."""
        while (name := self._listener.find_name()) is None:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.05)
        self._name = name
        await self._show(self._phase)

    async def run(self) -> None:
        """Wait for the requests under way, then let the server stop."""
        began_at = time.monotonic()
        logger.info("drain_begun under_way=%d drain_s=%.0f", self._draining.under_way, self._draining.left_s)
        try:
            await self._show(Phase.LISTENING)
            while not await self._is_done(time.monotonic() - began_at):
                await self._pause()
        finally:
            logger.info("drain_ended after_s=%.1f left=%d", time.monotonic() - began_at, self._draining.under_way)
            self._listener.bound_shutdown()
            self._pass_on()

    async def _is_done(self, elapsed_s: float) -> bool:
        """Look once at who else is there, and whether there is anything left to wait for."""
        others = await self._find_others()
        if self._phase is Phase.LISTENING and Phase.SERVING in others:
            self._listener.close()
            await self._show(Phase.DEAF)
            logger.info("listener_closed others_serve=True")
        is_replaced = self._listener.is_replaced() and elapsed_s < REPLACED_WITHIN_S
        self._draining.refuses = self._phase is Phase.LISTENING and not is_replaced
        if self._draining.left_s <= 0:
            await self._end()
            return True
        if self._draining.under_way:
            self._idle_since = None
            return False
        if self._phase is Phase.DEAF:
            return self._has_lingered(others)
        # Who keeps the only listener stays for those who gave theirs up: their relayed streams need it.
        return not (is_replaced or Phase.DEAF in others)

    def _has_lingered(self, others: set[Phase]) -> bool:
        """Whether connections without a request have had their time: one may be just on its way."""
        now = time.monotonic()
        self._idle_since = self._idle_since or now
        return Phase.SERVING not in others or now - self._idle_since >= self._listener.linger_s()

    async def _pause(self) -> None:
        if self._draining.under_way:
            await self._draining.wait(min(LOOK_EVERY_S, max(self._draining.left_s, 0.01)))
        else:
            await asyncio.sleep(IDLE_LOOK_EVERY_S)

    async def _end(self) -> None:
        self._draining.refuses = True
        if self._draining.under_way:
            logger.warning("drain_over under_way=%d", self._draining.under_way)
            self._draining.end()
            await self._draining.wait(LAST_WORDS_S)

    async def _show(self, phase: Phase) -> None:
        self._phase = phase
        if self._name is None:
            return
        async with self._showing:  # the newest phase is written last
            try:
                await asyncio.to_thread(self._presence.show, self._name, self._phase)
            except OSError as exc:
                logger.warning("presence_unknown cause=%s", exc)

    async def _find_others(self) -> set[Phase]:
        try:
            return set(await asyncio.to_thread(self._presence.others))
        except OSError as exc:
            logger.warning("presence_unknown cause=%s", exc)
            return set()


def _find_server(handler: object) -> Server | None:
    """The uvicorn server whose handler of SIGTERM this is, if it is one."""
    server = getattr(handler, "__self__", None)
    return server if isinstance(server, Server) else None


def _pass_on(handler: Callable[[int, FrameType | None], Any] | int | None) -> None:
    """Do what SIGTERM would have done."""
    if callable(handler):
        handler(signal.SIGTERM, None)
    else:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
