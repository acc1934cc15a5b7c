import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from globus_local.cloud import Cloud, Settings
from globus_local.loopback import NotLoopbackError
from globus_local.server import serving


def main(argv: list[str] | None = None) -> int:
    """Run the command line; answers the exit code."""
    options = build_parser().parse_args(argv)
    try:
        asyncio.run(_serve(options))
    except (NotLoopbackError, OSError) as exc:
        sys.stderr.write(f"globus_local: {exc}\n")
        return 2
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The options of `python -m globus_local`."""
    parser = argparse.ArgumentParser(prog="python -m globus_local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="run the cloud until it is told to stop")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=0)
    serve.add_argument("--amqp-port", type=int, default=0)
    serve.add_argument("--amqp-url")
    serve.add_argument("--state-file", type=Path)
    serve.add_argument("--seed", type=Path)
    serve.add_argument("--no-endpoint", action="store_true")
    return parser


async def _serve(options: argparse.Namespace) -> None:
    settings = Settings(
        host=options.host,
        port=options.port,
        amqp_port=options.amqp_port,
        amqp_url=options.amqp_url,
        with_endpoint=not options.no_endpoint,
    )
    cloud = Cloud(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    async with serving(cloud):
        sys.stdout.write(json.dumps({"url": cloud.base_url, "pid": os.getpid()}) + "\n")
        sys.stdout.flush()
        await stop.wait()
