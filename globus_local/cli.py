import argparse
import asyncio
import json
import os
import shlex
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from globus_local.cloud import Cloud, Settings
from globus_local.loopback import NotLoopbackError
from globus_local.seed import SeedError, load_seed
from globus_local.server import serving

DESCRIPTION = "A local stand-in of the Globus cloud: Auth, Groups and Compute on one loopback port, all in memory."
EPILOG = """\
examples:
  python -m globus_local serve --state-file cloud.json --seed seed.json
  eval "$(python -m globus_local env --state-file cloud.json)"

It signs anybody in without a password, so it listens on loopback addresses only. The admin surface (/admin/) needs
the admin token, which is in the state file. globus_local/README.md tells the rest.
"""
SERVE_DESCRIPTION = "Run the cloud until SIGTERM or Ctrl-C. Without --state-file, what it would hold goes to stdout."
WRONG_USAGE = 2


def main(argv: list[str] | None = None) -> int:
    """Run the command line; answers the exit code (0 done, 2 wrong usage, settings or seed)."""
    options = build_parser().parse_args(argv)
    try:
        return COMMANDS[options.command](options)
    except (NotLoopbackError, SeedError, OSError) as exc:
        sys.stderr.write(f"globus_local: {exc}\n")
        return WRONG_USAGE


def build_parser() -> argparse.ArgumentParser:
    """The commands and options of `python -m globus_local`."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m globus_local", None, DESCRIPTION, EPILOG, formatter_class=formatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="{serve,env}")
    serve_help = "run the cloud until SIGTERM or Ctrl-C"
    _add_serve_options(commands.add_parser("serve", help=serve_help, description=SERVE_DESCRIPTION))
    env_help = "print shell lines that point the Globus SDKs at a running cloud"
    env = commands.add_parser("env", help=env_help, description=f"{env_help.capitalize()}: eval them.")
    env.add_argument("--state-file", type=Path, required=True, metavar="FILE", help="what `serve` wrote")
    return parser


def _add_serve_options(serve: argparse.ArgumentParser) -> None:
    add = serve.add_argument
    add("--host", default="127.0.0.1", help="loopback address to listen on; others are refused (default: %(default)s)")
    add("--port", type=int, default=0, help="port of all HTTP services (default: any free one)")
    add("--amqp-port", type=int, default=0, metavar="PORT", help="port of the own AMQP broker (default: any free one)")
    add("--amqp-url", metavar="amqp://…", help="use this RabbitMQ instead of the own broker")
    add("--state-file", type=Path, metavar="FILE", help="write addresses, admin token and pid here once it answers")
    add("--seed", type=Path, metavar="FILE", help="identities, clients, groups and policies to start with (JSON)")
    add("--no-endpoint", action="store_true", help="execute no tasks here: a Globus Compute agent of yours does")


def serve(options: argparse.Namespace) -> int:
    """Serve until a signal says stop."""
    settings = Settings(
        host=options.host,
        port=options.port,
        amqp_port=options.amqp_port,
        amqp_url=options.amqp_url,
        with_endpoint=not options.no_endpoint,
    )
    cloud = Cloud(settings)
    if options.state_file:
        options.state_file.unlink(missing_ok=True)  # of a run that could not tidy up
    if options.seed:
        load_seed(cloud, options.seed)
    try:
        asyncio.run(_serve(cloud, options.state_file))
    finally:
        if options.state_file:
            options.state_file.unlink(missing_ok=True)
    return 0


async def _serve(cloud: Cloud, state_file: Path | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    async with serving(cloud):
        state = build_state(cloud)
        announcement = json.dumps(state)
        if state_file:
            write_state(state_file, state)
            announcement = f"globus_local answers at {cloud.base_url}; addresses and admin token: {state_file}"
        sys.stdout.write(announcement + "\n")
        sys.stdout.flush()
        await stop.wait()


def build_state(cloud: Cloud) -> dict[str, Any]:
    """What a program needs to know to use the running cloud; holds the admin token."""
    return {
        "url": cloud.base_url,
        "auth_url": cloud.base_url,
        "groups_url": cloud.base_url,
        "compute_url": cloud.base_url,
        "amqp_url": cloud.amqp_url,
        "admin_token": cloud.admin_token,
        "pid": os.getpid(),
    }


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Write the state file, readable by its owner only; whoever polls for it never sees half of it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    with os.fdopen(handle, "w") as file:
        json.dump(state, file)
    Path(name).replace(path)


def print_env(options: argparse.Namespace) -> int:
    """Print `export` lines for a shell."""
    state = json.loads(options.state_file.read_text())
    for name, value in build_env(state).items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
    return 0


def build_env(state: dict[str, Any]) -> dict[str, str]:
    """The environment variables with which the unmodified SDKs talk to this cloud."""
    url = state["url"]
    return {
        "GLOBUS_SDK_ENVIRONMENT": "local",
        "GLOBUS_SDK_SERVICE_URL_AUTH": url,
        "GLOBUS_SDK_SERVICE_URL_GROUPS": url,
        "GLOBUS_SDK_SERVICE_URL_TRANSFER": url,
        "GLOBUS_COMPUTE_SERVICE_URL": url,
    }


COMMANDS = {"serve": serve, "env": print_env}
