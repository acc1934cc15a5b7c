"""Records of requests: written down at once, in the database a second later."""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from django.db import connections

from resource_server.accounting.drain import Drain, StoreUnavailable
from resource_server.accounting.record import RequestRecord
from resource_server.accounting.spool import Spool
from resource_server.accounting.store import insert_records

logger = logging.getLogger(__name__)

DRAIN_EVERY_S = 1.0
MAX_BACKOFF_S = 30.0
HUNG_AFTER_S = 10.0
CLOSE_WITHIN_S = 5.0


class Accounting:
    """What the use cases write to; several processes may share the spool's directory.

    Made by `open_accounting`. Whoever holds it runs `run` in a task, and calls `aclose` at the end.
    """

    def __init__(self, spool: Spool, drain: Drain, *, drain_every_s: float = DRAIN_EVERY_S) -> None:
        self._spool = spool
        self._drain = drain
        self._drain_every_s = drain_every_s
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="accounting")
        self._failures = 0
        self._draining_since: float | None = None
        self._is_closed = False

    def record(self, record: RequestRecord) -> None:
        """Write the record down before the response ends: microseconds, on the event loop, never raises."""
        self._spool.append(record)

    def is_degraded(self) -> bool:
        """Whether records wait longer than they should: the disk is full, the database is away or hangs."""
        since = self._draining_since
        is_hung = since is not None and time.monotonic() - since > HUNG_AFTER_S
        return is_hung or self._failures > 0 or self._spool.is_degraded()

    @property
    def lost(self) -> int:
        """Records for which there was neither disk nor memory since the start."""
        return self._spool.lost

    def waiting_bytes(self) -> int:
        """See `Spool.find_size`."""
        return self._spool.find_size()

    async def run(self) -> None:
        """Drain until cancelled; while the database is away, less and less often."""
        while True:
            await asyncio.sleep(self._pause_s())
            await self._drain_once()

    async def aclose(self, within_s: float = CLOSE_WITHIN_S) -> None:
        """Drain a last time, for at most `within_s` seconds; the rest is for the next start. Idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        self._spool.rotate()
        self._spool.close()
        try:
            async with asyncio.timeout(within_s):
                await self._drain_once()
                await asyncio.get_running_loop().run_in_executor(self._thread, connections.close_all)
        except TimeoutError:
            logger.warning("accounting drain not finished at shutdown, the next start goes on")
        finally:
            self._drain.stop()
            self._thread.shutdown(wait=False)

    def _pause_s(self) -> float:
        pause_s = min(self._drain_every_s * (1 << self._failures), MAX_BACKOFF_S)
        return pause_s if self._failures == 0 else pause_s * random.uniform(0.5, 1.0)  # noqa: S311 - jitter

    async def _drain_once(self) -> None:
        self._spool.rotate()
        self._draining_since = time.monotonic()
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._drain.run_once)
        except (StoreUnavailable, OSError) as exc:
            if self._failures == 0:
                logger.warning("accounting drain waits: %s", exc)
            self._failures = min(self._failures + 1, 16)
        else:
            self._failures = 0
        finally:
            self._draining_since = None


async def open_accounting(
    directory: Path,
    insert: Callable[[list[RequestRecord]], None] = insert_records,
    *,
    drain_every_s: float = DRAIN_EVERY_S,
) -> Accounting:
    """The accounting of this process, with its spool in `directory`, which is made if need be.

    Raises:
        OSError: the directory cannot be made or written.
    """
    spool = await asyncio.to_thread(_open_spool, directory)
    return Accounting(spool, Drain(directory, insert), drain_every_s=drain_every_s)


def _open_spool(directory: Path) -> Spool:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Spool(directory)
