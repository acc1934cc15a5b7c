"""Worker processes seen from the cloud: start, feed, watch, replace, stop."""

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from globus_local.endpoint.frames import encode_frame, receive_frame

logger = logging.getLogger(__name__)

PACKAGE_ROOT = Path(__file__).resolve().parents[2]
READY_S = 60.0
STOP_S = 3.0
STDERR = 2  # what functions print must not mix with what the cloud prints
RESTART_S = 0.5  # between the deaths of workers that never get anything done


class WorkerLostError(Exception):
    """The process that ran a task died."""


class Worker:
    """One process. `start`, `wait_ready`, then `listen` while tasks `run`, at last `stop`."""

    def __init__(self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.process = process
        self.running: dict[str, asyncio.Future[bytes]] = {}
        self.alive = True
        self._reader = reader
        self._writer = writer

    @classmethod
    async def start(cls, endpoint_id: str, threads: int, env: Mapping[str, str]) -> "Worker":
        """Start a fresh interpreter. Every worker that was started must be stopped."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "globus_local.endpoint.worker"),
                *(str(theirs.fileno()), str(threads), endpoint_id),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=STDERR,
                env={**os.environ, **env, "PYTHONPATH": str(PACKAGE_ROOT)},
                start_new_session=True,  # a Ctrl-C at the terminal is the cloud's to handle
            )
        reader, writer = await asyncio.open_connection(sock=ours)
        return cls(process, reader, writer)

    async def wait_ready(self) -> None:
        """Wait until it takes tasks.

        Raises:
            WorkerLostError: it died first.
            TimeoutError: it was not ready in time.
        """
        async with asyncio.timeout(READY_S):
            if await receive_frame(self._reader) is None:
                raise WorkerLostError(f"a worker ended with code {await self.process.wait()} before it was ready")

    async def run(self, task_id: str, body: bytes, result_serializers: list[str]) -> bytes:
        """Run a task; its packed result.

        Raises:
            WorkerLostError: the process died meanwhile.
        """
        if not self.alive:
            raise WorkerLostError("the worker is gone")
        done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.running[task_id] = done
        try:
            self._writer.write(encode_frame({"task_id": task_id, "result_serializers": result_serializers}, body))
            await self._writer.drain()
            return await done
        except ConnectionError as error:
            raise WorkerLostError("the worker is gone") from error
        finally:
            self.running.pop(task_id, None)

    async def listen(self) -> None:
        """Take results in until the process ends."""
        while (frame := await receive_frame(self._reader)) is not None:
            done = self.running.get(frame.header["task_id"])
            if done is not None and not done.done():
                done.set_result(frame.body)

    async def stop(self) -> None:
        """End the process, by closing its socket or else by killing it; what it had in hand is lost."""
        self.alive = False
        self._writer.close()
        try:
            async with asyncio.timeout(STOP_S):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
        for done in self.running.values():
            if not done.done():
                done.set_exception(WorkerLostError(f"the worker process ended with code {self.process.returncode}"))


class WorkerPool:
    """A number of workers, each replaced when it dies. `run` it in a task; `execute` meanwhile."""

    def __init__(self, endpoint_id: str, *, processes: int, threads: int, env: Mapping[str, str]) -> None:
        self._endpoint_id = endpoint_id
        self._processes = processes
        self._threads = threads
        self._env = env
        self._workers: set[Worker] = set()
        self._changed = asyncio.Condition()

    async def run(self) -> None:
        """Keep the workers running until cancelled."""
        async with asyncio.TaskGroup() as slots:
            for _ in range(self._processes):
                slots.create_task(self._keep_one_running())

    async def wait_ready(self, count: int = 1) -> None:
        """Wait until that many workers run."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._workers) >= count)

    async def execute(self, task_id: str, body: bytes, result_serializers: list[str]) -> bytes:
        """Run a task on the worker with the least to do; its packed result.

        Raises:
            WorkerLostError: the process died meanwhile.
        """
        await self.wait_ready()
        worker = min(self._workers, key=lambda candidate: len(candidate.running))
        return await worker.run(task_id, body, result_serializers)

    @property
    def process_ids(self) -> list[int]:
        """Of the workers that run now."""
        return [worker.process.pid for worker in self._workers]

    def describe(self) -> dict[str, Any]:
        """Numbers for a heartbeat."""
        busy = sum(len(worker.running) for worker in self._workers)
        return {
            "total_workers": self._processes * self._threads,
            "outstanding_tasks": busy,
            "managers": self._processes,
        }

    async def _keep_one_running(self) -> None:
        while True:
            try:
                await self._serve_with_one_worker()
            except (WorkerLostError, TimeoutError, OSError) as error:
                logger.warning("a worker did not start: %s", error)
            await asyncio.sleep(RESTART_S)

    async def _serve_with_one_worker(self) -> None:
        worker = await Worker.start(self._endpoint_id, self._threads, self._env)
        try:
            await worker.wait_ready()
            await self._add(worker)
            await worker.listen()
            logger.warning("worker process %d ended; starting another", worker.process.pid)
        finally:
            self._workers.discard(worker)
            await worker.stop()

    async def _add(self, worker: Worker) -> None:
        async with self._changed:
            self._workers.add(worker)
            self._changed.notify_all()
