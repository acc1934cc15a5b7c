"""A bell: many may wait for it with a deadline, one rings it for all."""

import asyncio


class Bell:
    """Wakes everybody who waits now; remembers nothing, so a waiter looks at the facts before and after.

    Cheaper than `asyncio.Event` under `asyncio.timeout`, and one waiter's cancellation touches no other.
    """

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def __len__(self) -> int:
        """How many wait now."""
        return len(self._waiters)

    def ring(self) -> None:
        """Wake all who wait."""
        for waiter in self._waiters:
            _settle(waiter)
        self._waiters.clear()

    async def wait(self, wait_s: float) -> None:
        """Return at the next ring, or after `wait_s` seconds."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(wait_s, _settle, waiter)
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiters.discard(waiter)


def _settle(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
