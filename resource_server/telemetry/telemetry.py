"""Metrics of one worker and, when it is asked, of all: counted on the event loop, everything else in a thread."""

import asyncio
import logging
import os
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from resource_server.telemetry.elections import Election, Elections, adopt
from resource_server.telemetry.folder import Folder
from resource_server.telemetry.kinds import Collector
from resource_server.telemetry.page import ALL_SERIES, Page, read_into, take_page
from resource_server.telemetry.series import BUSIEST
from resource_server.telemetry.text import render

logger = logging.getLogger(__name__)

T = TypeVar("T")
PUBLISH_EVERY_S = 1.0


class Telemetry:
    """What ``/metrics`` shows. Whoever holds it runs `run` in a task, and calls `aclose` at the end.

    Args:
        directory: shared by the workers of this machine, and by nobody else.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._pid = str(os.getpid())
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="telemetry")
        self._folder: Folder | None = None
        self._elections = Elections(directory / "elected")
        self._is_failing = False
        self._collectors: list[Collector] = []
        self._views: list[Collector] = []

    def add(self, collector: Collector) -> None:
        """Show the collector's readings together with those of the other workers."""
        self._collectors.append(collector)

    def add_view(self, collector: Collector) -> None:
        """Show the collector's readings where this worker is asked: those that every worker would answer alike."""
        self._views.append(collector)

    async def run(self) -> None:
        """Tell the other workers what this one counted, until cancelled."""
        while True:
            elected = await self._in_thread(self._publish)
            for busiest in BUSIEST:
                adopt(elected, busiest)
            await asyncio.sleep(PUBLISH_EVERY_S)

    async def scrape(self) -> bytes:
        """The metrics of all workers in Prometheus's text format. Raises `OSError` where the others' cannot be read."""
        return await self._in_thread(self._render)

    async def aclose(self) -> None:
        """Put down what was counted last, for the workers that go on."""
        await self._in_thread(self._close)
        self._thread.shutdown(wait=False)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _publish(self) -> Mapping[str, Election]:
        """Put this worker's page into the folder; returns the elections as they stand."""
        try:
            self._open().publish(take_page(self._collectors, self._pid))
            elected = self._elections.read()
        except OSError as exc:
            self._note_failure(exc)
            return {}
        self._is_failing = False
        return elected

    def _render(self) -> bytes:
        page = take_page(self._collectors, self._pid)
        try:
            folder = self._open()
        except OSError as exc:  # of a worker that has no others, the answer is whole
            self._note_failure(exc)
        else:
            page = self._exchange(folder, page)
        read_into(page, self._views)
        lines = (line for name, series in ALL_SERIES.items() for line in render(series, page.series.get(name, {})))
        return "".join(lines).encode()

    def _exchange(self, folder: Folder, page: Page) -> Page:
        """This worker's page against that of all."""
        with folder.guarded():
            try:
                folder.publish(page)
            except OSError as exc:
                self._note_failure(exc)
            page = folder.gather(page)
            for busiest in BUSIEST:
                self._elections.hold(page, busiest)
        return page

    def _open(self) -> Folder:
        if self._folder is None:
            self._folder = Folder(self._directory, f"{self._pid}-{secrets.token_hex(4)}")
        return self._folder

    def _close(self) -> None:
        self._publish()
        if self._folder is not None:
            self._folder.close()

    def _note_failure(self, error: OSError) -> None:
        if not self._is_failing:
            self._is_failing = True
            logger.warning("metrics are not shared with other workers: %s", error)
