"""Waiting for what another process does."""

import asyncio
import time
from collections.abc import Callable


async def wait_until(is_true: Callable[[], bool], timeout_s: float = 10) -> None:
    """Return when `is_true` does; fail after `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline, "it never became true"
        await asyncio.sleep(0.01)
