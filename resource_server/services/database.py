"""The way from the event loop to the ORM: one named thread, away from every request. And a bound on one question."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from django.db import close_old_connections, connection, connections, transaction

_T = TypeVar("_T")

STATEMENT_TIMEOUT_S = 2.0


class DatabaseThread:
    """Runs units of ORM work one after another, each on a connection that was checked just before.

    Django checks connections at the start and end of its requests; this thread serves none, so without the check a
    connection that died with its server would stay for ever.
    """

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def run(self, unit: Callable[[], _T]) -> _T:
        """Run `unit` and return what it returns; raises what it raises, or `TimeoutError` after twice the limit."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(2 * STATEMENT_TIMEOUT_S):
            return await loop.run_in_executor(self._executor, _bracketed, unit)

    def close(self) -> None:
        """Let the running unit end and close its connection, without waiting for either."""
        self._executor.submit(connections.close_all)  # the thread's own: `connection.close` would be the caller's
        self._executor.shutdown(wait=False)


def _bracketed(unit: Callable[[], _T]) -> _T:
    close_old_connections()
    try:
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f"SET statement_timeout = {int(STATEMENT_TIMEOUT_S * 1000)}")
        return unit()
    finally:
        close_old_connections()


@contextmanager
def bounded_queries(limit_s: float) -> Iterator[None]:
    """Let no statement inside take longer. Raises `OperationalError`; SQLite has no such bound."""
    if connection.vendor != "postgresql":
        yield
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {int(limit_s * 1000)}")
        yield
