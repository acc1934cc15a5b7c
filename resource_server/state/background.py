"""Tasks that live as long as their owner: referenced, logged when they fail, cancelled and awaited at the end."""

import asyncio
import logging
from collections.abc import Coroutine
from functools import partial

from resource_server.telemetry.series import BACKGROUND_FAILURES

logger = logging.getLogger(__name__)


class Background:
    """The long-lived tasks of one owner."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, name: str, coroutine: Coroutine[object, object, None], *, about: str = "") -> None:
        """Run `coroutine` until it ends or `aclose` is called.

        `name` says in fixed words what it does, and its failures are counted by them; `about` what it does that with.
        """
        task = asyncio.create_task(coroutine, name=f"{name}: {about}" if about else name)
        self._tasks.add(task)
        task.add_done_callback(partial(self._forget, name))

    async def aclose(self) -> None:
        """Cancel what still runs and wait until it has ended. Idempotent."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, name: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            BACKGROUND_FAILURES.inc(name)
            logger.error("background task failed: %s", task.get_name(), exc_info=error)
