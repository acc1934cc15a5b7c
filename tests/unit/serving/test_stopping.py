"""What a process does between SIGTERM and its end, by who else is on its socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from inference_gateway.stopping import Drain, Listener
from resource_server.domain.errors import Overloaded
from resource_server.services.draining import Draining
from resource_server.services.presence import Phase, Presence
from tests.waiting import wait_until

SOCKET = "4711"


class FakeListener(Listener):
    """A socket that nobody connects to."""

    def __init__(self, *, replaced: bool = False) -> None:
        super().__init__(None)
        self._is_open = True
        self._replaced = replaced

    def find_name(self) -> str:
        return SOCKET

    def close(self) -> None:
        self._is_open = False

    def is_open(self) -> bool:
        return self._is_open

    def is_replaced(self) -> bool:
        return self._replaced


class Worker:
    """One process, told to stop by `running`."""

    def __init__(self, folder: Path, *, drain_s: float = 60, replaced: bool = False) -> None:
        self.draining = Draining(drain_s)
        self.listener = FakeListener(replaced=replaced)
        self.presence = Presence(folder, "this")
        self._has_passed_on = False
        self._drain = Drain(self.draining, self.presence, self.listener, self._note)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["asyncio.Task[None]"]:
        await self._drain.show_presence()
        self.draining.begin()
        task = asyncio.create_task(self._drain.run())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await asyncio.to_thread(self.presence.leave)

    async def serve(self, release: asyncio.Event) -> None:
        """One request."""
        with self.draining.request():
            await release.wait()

    def has_passed_on(self) -> bool:
        return self._has_passed_on

    def _note(self) -> None:
        self._has_passed_on = True


@pytest.fixture
async def other(tmp_path: Path) -> AsyncIterator[Presence]:
    """Another process on the socket, as soon as it shows itself."""
    other = Presence(tmp_path, "other")
    yield other
    await asyncio.to_thread(other.leave)


async def test_only_process_refuses_and_keeps_its_listener(tmp_path: Path) -> None:
    worker, release = Worker(tmp_path), asyncio.Event()
    request = asyncio.create_task(worker.serve(release))
    async with worker.running() as drain:
        await wait_until(lambda: worker.draining.refuses)
        assert worker.listener.is_open()
        assert not worker.has_passed_on()
        release.set()
        await asyncio.wait_for(drain, 10)
        assert worker.has_passed_on()
    await request


async def test_process_leaves_new_connections_to_others_that_serve(tmp_path: Path, other: Presence) -> None:
    await asyncio.to_thread(other.show, SOCKET, Phase.SERVING)
    worker, release = Worker(tmp_path), asyncio.Event()
    request = asyncio.create_task(worker.serve(release))
    async with worker.running() as drain:
        await wait_until(lambda: not worker.listener.is_open())
        assert not worker.draining.refuses
        assert not worker.has_passed_on()
        assert await asyncio.to_thread(other.others) == {Phase.DEAF}
        release.set()
        await asyncio.wait_for(drain, 10)
        assert worker.has_passed_on()
    await request


async def test_who_keeps_the_listener_stays_for_those_who_closed_theirs(tmp_path: Path, other: Presence) -> None:
    await asyncio.to_thread(other.show, SOCKET, Phase.DEAF)
    worker = Worker(tmp_path)
    async with worker.running() as drain:
        await wait_until(lambda: worker.draining.refuses)
        done, _ = await asyncio.wait({drain}, timeout=0.5)
        assert not done
        assert worker.listener.is_open()
        await asyncio.to_thread(other.leave)
        await asyncio.wait_for(drain, 10)
        assert worker.has_passed_on()


async def test_process_being_replaced_serves_until_its_successor_does(tmp_path: Path, other: Presence) -> None:
    worker = Worker(tmp_path, replaced=True)
    async with worker.running() as drain:
        done, _ = await asyncio.wait({drain}, timeout=0.5)
        assert not done
        assert worker.listener.is_open()
        assert not worker.draining.refuses
        await asyncio.to_thread(other.show, SOCKET, Phase.SERVING)
        await asyncio.wait_for(drain, 10)
        assert not worker.listener.is_open()
        assert worker.has_passed_on()


async def test_requests_are_told_when_the_time_is_over(tmp_path: Path) -> None:
    worker = Worker(tmp_path, drain_s=0)
    request = asyncio.create_task(worker.serve(asyncio.Event()))
    await asyncio.sleep(0)
    async with worker.running() as drain:
        with pytest.raises(Overloaded):
            await asyncio.wait_for(request, 10)
        await asyncio.wait_for(drain, 10)
        assert worker.draining.refuses
        assert worker.has_passed_on()


async def test_folder_that_cannot_be_used_makes_a_process_the_only_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    worker = Worker(tmp_path / "file")
    async with worker.running() as drain:
        await asyncio.wait_for(drain, 10)
        assert worker.draining.refuses
        assert worker.has_passed_on()
