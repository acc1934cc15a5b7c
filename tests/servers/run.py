"""The servers of one test run: one PostgreSQL and one Redis, shared by all its workers."""

from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

from tests.servers.postgres import PostgresAddress, PostgresServer, public_folder
from tests.servers.redis import RedisServer


class RunServers:
    """Each starts when it is first asked for and lasts until `close`, or until the run is killed.

    Ask from the main thread of the process that outlives the workers: see `tests.servers.process.Process`.
    """

    def __init__(self, configured: PostgresAddress | None) -> None:
        self._configured = configured
        self._stack = ExitStack()

    @cached_property
    def postgres(self) -> PostgresAddress:
        """The configured server, else one of our own."""
        return self._configured or self._stack.enter_context(PostgresServer(self._folder / "postgres")).address

    @cached_property
    def redis(self) -> str:
        """The server's URL without a database: see `RedisServer.address`."""
        return self._stack.enter_context(RedisServer(self._folder / "redis")).address

    @cached_property
    def _folder(self) -> Path:
        return self._stack.enter_context(public_folder())

    def close(self) -> None:
        """Stop what was started and remove its files."""
        self._stack.close()
