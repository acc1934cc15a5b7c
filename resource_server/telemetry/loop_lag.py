"""How late the event loop is: what every request feels when one of them keeps it."""

import asyncio
import time
from collections import deque
from collections.abc import Iterable

from resource_server.telemetry.kinds import Reading
from resource_server.telemetry.series import LOOP_LAG

EVERY_S = 0.25
KEPT_S = 15.0


class LoopLag:
    """Sleeps a moment, over and over, and notes by how much it overslept."""

    def __init__(self) -> None:
        self._late_s: deque[float] = deque([0.0], maxlen=int(KEPT_S / EVERY_S))

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            began_at = time.monotonic()
            await asyncio.sleep(EVERY_S)
            self._late_s.append(max(time.monotonic() - began_at - EVERY_S, 0.0))

    def read(self) -> Iterable[Reading]:
        """See `Collector`."""
        yield LOOP_LAG, (), max(list(self._late_s))
