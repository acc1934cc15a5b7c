"""Keeps one connection to Redis alive, and fails at once while there is none.

This is the breaker too: a broken or hung connection is closed for all, and callers are refused without waiting. Only a
new connection that answered `PING` lets them through again, and it is made in the background: no caller ever waits
for a trial. Trials come 0.1 s, 0.2 s, 0.4 s … apart, at most 5 s, with jitter.
"""

import asyncio
import logging
import random
import ssl
from collections.abc import Awaitable
from typing import Any

from resource_server.state.background import Background
from resource_server.state.redis_address import RedisAddress
from resource_server.state.redis_wire import Argument, RedisUnavailable, RedisWire

logger = logging.getLogger(__name__)

OPERATION_WAIT_S = 0.1
CONNECT_WAIT_S = 1.0
"""With the TLS handshake; nobody waits for it but the start of the process."""
FIRST_PAUSE_S = 0.1
MAX_PAUSE_S = 5.0
STEADY_S = 10.0
"""A connection that lived this long was a good one: the pauses begin anew."""


class RedisLink:
    """One multiplexed connection that reconnects by itself.

    Args:
        address: where Redis is.
        name: for logs.
    """

    def __init__(self, address: RedisAddress, name: str) -> None:
        self._address = address
        self._name = name
        self._tls = ssl.create_default_context() if address.is_tls else None
        self._wire: RedisWire | None = None
        self._background = Background()
        self._tried = asyncio.Event()
        self._was_up: bool | None = None

    async def open(self) -> None:
        """Connect, and stay connected from now on. Returns after the first trial, whatever its outcome."""
        self._background.start("redis: keep connected", self._keep_connected(), about=self._name)
        await self._tried.wait()

    def is_up(self) -> bool:
        """Whether commands go to Redis now."""
        return self._wire is not None and self._wire.is_usable

    def execute(self, *command: Argument, wait_s: float = OPERATION_WAIT_S) -> Awaitable[Any]:
        """Send a command; see `RedisWire.execute`.

        Raises:
            RedisUnavailable: no answer within `wait_s` seconds; at once while there is no connection.
            RedisRefused: the answer is an error.
        """
        if self._wire is None:
            raise RedisUnavailable("not connected")
        return self._wire.execute(*command, wait_s=wait_s)

    def disconnect(self, reason: str) -> None:
        """Give the present connection up; another one is made."""
        if self._wire is not None:
            self._was_up = False  # by our own will: nothing to warn of
            self._wire.close(reason)

    async def aclose(self) -> None:
        """Close the connection for good. Idempotent."""
        await self._background.aclose()
        self.disconnect("closed")

    async def _keep_connected(self) -> None:
        failures = 0
        while True:
            lived_s = await self._live_once()
            failures = 0 if lived_s > STEADY_S else failures + 1
            pause_s = min(FIRST_PAUSE_S * 2 ** min(failures, 10), MAX_PAUSE_S)
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret

    async def _live_once(self) -> float:
        """Connect and serve until the connection is lost; the seconds for which it served."""
        loop = asyncio.get_running_loop()
        try:
            wire = await self._connect()
        except (OSError, RedisUnavailable) as error:
            self._report(is_up=False, reason=str(error))
            return 0.0
        finally:
            self._tried.set()
        self._wire = wire
        self._report(is_up=True, reason="connected")
        served_from = loop.time()
        self._report(is_up=False, reason=await asyncio.shield(wire.lost))
        return loop.time() - served_from

    async def _connect(self) -> RedisWire:
        address, wire = self._address, RedisWire()
        try:
            async with asyncio.timeout(CONNECT_WAIT_S):
                await asyncio.get_running_loop().create_connection(
                    lambda: wire, address.host, address.port, ssl=self._tls
                )
                await _greet(wire, address)
        except BaseException:
            wire.close("no greeting")
            raise
        return wire

    def _report(self, *, is_up: bool, reason: str) -> None:
        if self._was_up is not is_up:
            self._was_up = is_up
            level = logging.INFO if is_up else logging.WARNING
            logger.log(level, "redis is %s: %s: %s", "up" if is_up else "away", self._name, reason)


async def _greet(wire: RedisWire, address: RedisAddress) -> None:
    """Log in, choose the database, and see that it is Redis that answers."""
    if address.password is not None:
        names = () if address.username is None else (address.username,)
        await wire.execute("AUTH", *names, address.password, wait_s=OPERATION_WAIT_S)
    if address.database:
        await wire.execute("SELECT", address.database, wait_s=OPERATION_WAIT_S)
    if await wire.execute("PING", wait_s=OPERATION_WAIT_S) != b"PONG":
        raise RedisUnavailable("it does not answer as Redis does")
