"""Turns at the web service: evenly spaced, shared by all workers and by everything that calls it."""

import asyncio
import time

from resource_server.state.base import Pacer
from resource_server.state.bell import Bell
from resource_server.telemetry.series import GLOBUS_PACING_WAIT

BURST = 2
MARGIN = 1.06
"""The service counts in a sliding window: with this spacing 10 s never hold more than 20 calls, the burst included."""
PATIENCE_S = 5.0
COMEBACK_S = 0.02
"""A busy submitter asks for its next turn within this time."""


class Pacing:
    """The rate of one Globus client.

    Args:
        pacer: shared by the workers.
        client_id: whom the service counts.
        interval_s: seconds between calls that the service allows on average.
    """

    def __init__(self, pacer: Pacer, client_id: str, interval_s: float) -> None:
        self._pacer = pacer
        self._key = f"globus_compute:{client_id}"
        self._interval_s = interval_s * MARGIN
        self._held_until = 0.0
        self._submitters = 0
        self._idle = Bell()

    @property
    def calls_per_s(self) -> float:
        """What all workers together may call."""
        return 1 / self._interval_s

    async def turn_to_submit(self) -> None:
        """Wait for the next turn: somebody waits for an answer."""
        self._submitters += 1
        began_at = time.monotonic()
        try:
            await self._turn()
            GLOBUS_PACING_WAIT.observe("submit", amount=time.monotonic() - began_at)
        finally:
            self._submitters -= 1
            self._idle.ring()

    async def turn_to_look(self) -> None:
        """Wait for a turn that no submission needs, yet not for ever: status and overdue results matter too."""
        began_at = time.monotonic()
        give_way_until = began_at + PATIENCE_S
        while self._submitters and (left_s := give_way_until - time.monotonic()) > 0:
            await self._idle.wait(left_s)
            await asyncio.sleep(COMEBACK_S)
        await self._turn()
        GLOBUS_PACING_WAIT.observe("look", amount=time.monotonic() - began_at)

    def hold(self, wait_s: float) -> None:
        """Let nobody of this process call for so long: the service said so."""
        self._held_until = max(self._held_until, time.monotonic() + wait_s)

    async def _turn(self) -> None:
        wait_s = await self._pacer.reserve(self._key, self._interval_s, BURST)
        await asyncio.sleep(max(wait_s, self._held_until - time.monotonic(), 0))
