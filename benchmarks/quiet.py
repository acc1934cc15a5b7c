"""The gateway's application without metrics and logs, for `benchmarks.metrics`: what it spares is what they cost."""

import asyncio
import logging
from typing import Any

from inference_gateway.asgi import application as application
from resource_server.services import ledger
from resource_server.telemetry.kinds import Counter, Gauge, Histogram
from resource_server.telemetry.loop_lag import LoopLag
from resource_server.telemetry.telemetry import Telemetry


def _pass(*_arguments: Any, **_options: Any) -> None:
    """Count nothing."""


async def _sleep(_owner: Any) -> None:
    await asyncio.Event().wait()


logging.disable(logging.CRITICAL)
setattr(ledger, "count_request", _pass)  # noqa: B010 - mypy takes no assignment to what is not its own
for kind, methods in ((Counter, ["inc"]), (Gauge, ["set", "add"]), (Histogram, ["observe"])):
    for method in methods:
        setattr(kind, method, _pass)
for watch in (LoopLag, Telemetry):
    setattr(watch, "run", _sleep)  # noqa: B010
