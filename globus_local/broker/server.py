"""The broker as a server on loopback: start, stop, restart, and a door for code in the same process."""

import asyncio
import ipaddress
from types import TracebackType
from typing import Self

from globus_local.broker.connection import Connection
from globus_local.broker.topology import Topology

HEARTBEAT_S = 60
STOP_S = 5.0


class Broker:
    """An AMQP 0-9-1 broker on ``127.0.0.1``. Its state is the ``topology``, which code on the same loop may use."""

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, heartbeat_s: int = HEARTBEAT_S) -> None:
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"the broker listens on loopback only, not on {host}")
        self.topology = Topology()
        self.port = port
        self._host = host
        self._heartbeat_s = heartbeat_s
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def url(self) -> str:
        """Where clients connect; any user name and password will do."""
        return f"amqp://guest:guest@{self._host}:{self.port}/"

    async def start(self) -> None:
        """Listen. Port 0 becomes the port that was found, and stays the same over restarts."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, self._host, self.port, reuse_address=True)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close every connection and stop listening; the topology stays."""
        if self._server is None:
            return
        self._server.close()
        self.drop_connections()
        async with asyncio.timeout(STOP_S):
            await self._idle.wait()
            await self._server.wait_closed()
        self._server = None

    async def restart(self, *, down_s: float = 0.0) -> None:
        """Crash and come back after ``down_s``: durable queues keep their persistent messages, all else is gone."""
        await self.stop()
        self.topology.forget_volatile()
        await asyncio.sleep(down_s)
        await self.start()

    def drop_connections(self) -> int:
        """Cut every connection without a word; how many there were."""
        dropped = list(self._connections)
        for connection in dropped:
            connection.abort()
        return len(dropped)

    @property
    def connection_count(self) -> int:
        """Connections that are open now."""
        return len(self._connections)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _accept(self) -> Connection:
        connection = Connection(self.topology, self._heartbeat_s, self._forget)
        self._connections.add(connection)
        self._idle.clear()
        return connection

    def _forget(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._idle.set()
