"""The gateway of the demo: one process on its embedded defaults (SQLite, state in the process)."""

import json
import secrets
import sys
from collections.abc import Mapping

from demo import layout
from demo.environment import build_environ
from demo.personas import ROBOT_ID, SITE_PROVIDER_ID
from demo.ports import is_answering
from demo.processes import Children, Program
from inference_gateway.environment import KEYS

DRAIN_S = 2
STATUS_INTERVAL_S = "2"
"""Nobody wants to wait a minute to see a cluster start."""
START_WAIT_S = 60.0
COMMAND_WAIT_S = 120.0


def build_gateway_environ(port: int, globus: Mapping[str, str]) -> dict[str, str]:
    """The gateway's whole environment.

    Every key is given a value, so that neither the user's environment nor a ``.env`` for a real gateway in this
    folder changes the demo.

    Args:
        port: where it will listen.
        globus: the settings that lead to the Globus cloud, credentials included.
    """
    defaults = {key.name: key.default or "" for key in KEYS if key.reader == "gateway"}
    settings = {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "DEBUG": "True",
        "AUTHORIZED_IDPS": json.dumps({"Example Laboratory": SITE_PROVIDER_ID}),
        "AUTHORIZED_CLIENTS": ROBOT_ID,
        "RELAY_BASE_URL": f"{origin(port)}/resource_server/relay",
        "GATEWAY_DATA_DIR": str(layout.DATA),
        "STATUS_INTERVAL_S": STATUS_INTERVAL_S,
        "DRAIN_S": str(DRAIN_S),
    }
    return build_environ({**defaults, **settings, **globus})


def origin(port: int) -> str:
    """The gateway's address without a path."""
    return f"http://127.0.0.1:{port}"


def prepare_database(children: Children, environ: Mapping[str, str]) -> None:
    """Make the tables and load the catalogue of this run. Raises `DemoError`."""
    for name, arguments in (("migrate", []), ("loaddata", [str(layout.CATALOGUE_FILE)])):
        argv = [sys.executable, "manage.py", name, *arguments]
        children.run(Program(name, argv, environ, layout.ROOT), COMMAND_WAIT_S)


def start_gateway(children: Children, port: int, environ: Mapping[str, str]) -> None:
    """Start the gateway and wait until it is ready. Raises `DemoError`."""
    options = ["--host", "127.0.0.1", "--port", str(port), "--lifespan", "on", "--no-access-log"]
    options += ["--timeout-graceful-shutdown", str(DRAIN_S)]
    argv = [sys.executable, "-m", "uvicorn", "inference_gateway.asgi:application", *options]
    child = children.start(Program("gateway", argv, environ, layout.ROOT, end_wait_s=DRAIN_S + 1.5))
    children.wait_until(child, lambda: is_answering(port, "/resource_server/ready"), START_WAIT_S)
