"""A cluster of the federated demo: a scheduler, one node, and a job that serves the model.

    python -m demo.cluster serve NAME --port 8091 --model … --upstream http://… [--hot]
    python -m demo.cluster kill NAME      # the node dies: its connections break, its job is gone
    python -m demo.cluster repair NAME    # the node is back; a request starts a job

What an endpoint's provider does on a real cluster, it does here: the first request submits the job, and all wait for
it. The job is queued, starts, and writes the readiness marker into its log. ``qstat`` and ``pbsnodes`` in the cluster's
folder print what a PBS server would say, for the status function of ``compute-functions/``; the answers come from the
demo's model.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import time

import aiohttp
from aiohttp import web

from demo import layout
from demo.scheduler import Scheduler, find_folder

QUEUE_SHARE = 0.25
"""Of the time that a start takes, so much passes in the queue."""


class Node:
    """The node's HTTP server, and the job behind it.

    Args:
        start_s: from a job's submission to its model serving.
        upstream: origin of the server that computes the answers.
    """

    def __init__(self, scheduler: Scheduler, start_s: float, upstream: str) -> None:
        self._scheduler = scheduler
        self._start_s = start_s
        self._upstream = upstream
        self._start: asyncio.Task[None] | None = None
        self._is_dead = False
        self._requests: set[asyncio.Task[object]] = set()

    def start_hot(self) -> None:
        """Begin with a job that serves already."""
        self._scheduler.submit()
        self._scheduler.run()
        self._scheduler.serve()
        self._start = asyncio.create_task(asyncio.sleep(0))

    def die(self) -> None:
        """Break every connection; the job is gone, and the node is down."""
        self._is_dead = True
        if self._start is not None:
            self._start.cancel()
        self._start = None
        for request in self._requests:
            request.cancel()
        self._scheduler.lose_node()

    def repair(self) -> None:
        """The node is up again, without a job."""
        self._is_dead = False
        self._scheduler.repair_node()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on to the model, once the job serves it."""
        task = asyncio.current_task()
        if self._is_dead or task is None:
            return _cut(request)
        self._requests.add(task)
        try:
            await self._wait_for_job()
            return await self._pass_on(request)
        finally:
            self._requests.discard(task)

    async def _wait_for_job(self) -> None:
        if self._start is None:
            self._start = asyncio.create_task(self._run_job(), name="job")
        await asyncio.shield(self._start)

    async def _run_job(self) -> None:
        self._scheduler.submit()
        await asyncio.sleep(self._start_s * QUEUE_SHARE)
        self._scheduler.run()
        await asyncio.sleep(self._start_s * (1 - QUEUE_SHARE))
        self._scheduler.serve()

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {"Content-Type": "application/json"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(self._upstream + request.path, data=body, headers=headers) as answer,
        ):
            response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
            await response.prepare(request)
            async for data in answer.content.iter_any():
                await response.write(data)
            return response


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)


async def serve(node: Node, port: int) -> None:
    """Serve until SIGTERM or SIGINT; SIGUSR1 kills the node, SIGUSR2 repairs it."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    loop.add_signal_handler(signal.SIGUSR1, node.die)
    loop.add_signal_handler(signal.SIGUSR2, node.repair)
    app = web.Application(client_max_size=16 << 20)
    app.router.add_post("/v1/{operation:.*}", node.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await ended.wait()
    finally:
        await runner.cleanup()


def main(argv: list[str]) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m demo.cluster", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("kill", "repair"):
        commands.add_parser(name).add_argument("name", help="the cluster's")
    served = commands.add_parser("serve")
    served.add_argument("name")
    served.add_argument("--port", type=int, required=True)
    served.add_argument("--model", required=True)
    served.add_argument("--upstream", required=True)
    served.add_argument("--start-s", type=float, default=12.0)
    served.add_argument("--hot", action="store_true")
    options = parser.parse_args(argv)
    if options.command == "serve":
        asyncio.run(_serve(options))
        return 0
    return _signal(options.name, signal.SIGUSR1 if options.command == "kill" else signal.SIGUSR2)


async def _serve(options: argparse.Namespace) -> None:
    folder = find_folder(options.name)
    node = Node(Scheduler(folder, options.name, options.model), options.start_s, options.upstream)
    if options.hot:
        node.start_hot()
    (folder / "pid").write_text(str(os.getpid()), encoding="utf-8")
    try:
        await serve(node, options.port)
    finally:
        with contextlib.suppress(FileNotFoundError):
            (folder / "pid").unlink()


def _signal(name: str, number: signal.Signals) -> int:
    known = sorted(path.parent.name for path in layout.CLUSTERS.glob("*/pid"))
    if name not in known:
        print(f"No cluster {name!r} runs here. Running: {', '.join(known) or 'none'}.", file=sys.stderr)
        return 1
    os.kill(int((find_folder(name) / "pid").read_text(encoding="utf-8")), number)
    time.sleep(0.2)  # its files say so by then
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
