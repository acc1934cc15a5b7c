"""``manage.py run_controller``: ask the clusters where their jobs stand, for all gateways that share Redis."""

import asyncio
import contextlib
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from resource_server.wiring import open_controller


class Command(BaseCommand):
    """Runs until SIGTERM or SIGINT; of several, one asks at a time, and another takes over when it is gone."""

    help = "Ask the clusters' status functions for their jobs, and publish what they say to the gateways by Redis."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        if not settings.ENVIRONMENT.text("REDIS_URL"):
            raise CommandError("Set REDIS_URL: without it the gateways do not hear what the controller finds.")
        asyncio.run(_run())


async def _run() -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with open_controller(settings.ENVIRONMENT, settings.SECRET_KEY, settings.DATA_DIR) as controller:
        running = asyncio.create_task(controller.run(), name="controller")
        stopping = asyncio.create_task(stopped.wait(), name="wait for a signal")
        try:
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
        finally:
            for task in (running, stopping):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
