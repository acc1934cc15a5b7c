"""``make demo``: the gateway, a stand-in of the Globus cloud and a real small language model on this machine.

DEMO_PORT moves the gateway (default 8000); everything else picks free ports. All files are in ``.demo/``.
"""

import argparse
import json
import os
import shutil
import sys
import time
from typing import Literal

from demo import catalogue, ending, federation, gateway, globus, layout, personas, printing
from demo.catalogue import Models, Rows
from demo.check import check_answers
from demo.errors import DemoError
from demo.frameworks import start_frameworks
from demo.locking import exclusive
from demo.ports import wait_for_free_port
from demo.processes import Children
from demo.state import State, write_state

Kind = Literal["plain", "simulated", "federated"]
DEFAULT_PORT = 8000
HIGHEST_PORT = 65535
PORT_WAIT_S = 5.0
ANSWER_WAIT_S = 60.0
WATCH_INTERVAL_S = 0.5


def main(argv: list[str]) -> int:
    """Run a demo until it is told to end; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--simulated", action="store_true", help="answer from the simulated backend: no model")
    parser.add_argument("--federated", action="store_true", help="the chat model on two clusters, one hot, one cold")
    arguments = parser.parse_args(argv)
    if arguments.simulated and arguments.federated:
        parser.error("--federated shows the way to the model: leave --simulated out")
    kind: Kind = "simulated" if arguments.simulated else "federated" if arguments.federated else "plain"
    ending.raise_at_signals()
    try:
        port = read_port(os.environ.get("DEMO_PORT", ""))
        layout.FOLDER.mkdir(mode=0o700, exist_ok=True)
        with exclusive(layout.LOCK_FILE):
            run(port, kind)
    except DemoError as exc:
        print(f"\n{exc}", file=sys.stderr, flush=True)
        return 1
    except ending.Ended:
        print("\nThe demo has ended.", flush=True)
    return 0


def read_port(text: str) -> int:
    """The port that DEMO_PORT asks for. Raises `DemoError`."""
    if not text:
        return DEFAULT_PORT
    if not text.isascii() or not text.isdecimal() or not 0 < int(text) <= HIGHEST_PORT:
        raise DemoError(f"DEMO_PORT is {text!r}: give a number from 1 to {HIGHEST_PORT}.")
    return int(text)


def make_folders() -> None:
    """Empty folders for this demo, its owner's alone: tokens lie there."""
    for folder in (layout.LOGS, layout.DATA):
        shutil.rmtree(folder, ignore_errors=True)
    for folder in (layout.LOGS, layout.DATA, layout.HOME):
        folder.mkdir(mode=0o700, exist_ok=True)


def run(port: int, kind: Kind) -> None:
    """Run a demo, and leave no process whatever ends it.

    Raises:
        DemoError: something does not start, or ends by itself.
        Ended: somebody wants the demo to end.
    """
    layout.STATE_FILE.unlink(missing_ok=True)
    wait_for_free_port(port, PORT_WAIT_S)  # a killed demo's gateway may still be ending, its files in its hands
    make_folders()
    children = Children(layout.LOGS)
    try:
        start(children, port, kind)
        while True:
            time.sleep(WATCH_INTERVAL_S)
            children.check_alive()
    finally:
        ending.ignore_signals()
        layout.STATE_FILE.unlink(missing_ok=True)
        children.stop()


def start(children: Children, port: int, kind: Kind) -> None:
    """Start everything, check it, tell the person and write the state file. Raises `DemoError`."""
    progress = printing.Progress()
    progress.say("Starting the stand-in of the Globus cloud")
    cloud = globus.start(children, with_endpoint=kind != "simulated")
    models = prepare_catalogue(children, cloud, progress, kind)
    environ = gateway.build_gateway_environ(port, cloud.gateway_settings())
    progress.say("Making the database, loading the catalogue")
    gateway.prepare_database(children, environ)
    progress.say("Starting the gateway")
    gateway.start_gateway(children, port, environ)
    if kind == "federated":
        progress.say("Waiting for the clusters to say where their jobs stand")
        federation.wait_for_reports(children, port)
    tokens = cloud.issue_tokens()
    progress.say("Asking the first questions")
    origin = gateway.origin(port)
    check_answers(f"{origin}/resource_server/v1", tokens["alice"], models, children, ANSWER_WAIT_S)
    progress.say("Ready")
    print(printing.ready_text(origin, tokens["alice"], models.chat), flush=True)
    if kind == "federated":
        print(printing.federation_text(origin, tokens["alice"], models.chat), flush=True)
    state = State(origin, cloud.url, f"{origin}/resource_server/metrics", os.getpid(), tokens, models.ids())
    write_state(state, layout.STATE_FILE)


def prepare_catalogue(children: Children, cloud: globus.LocalCloud, progress: printing.Progress, kind: Kind) -> Models:
    """Start what the models need and write this run's catalogue; returns the models."""
    rows = catalogue.read_rows(layout.SHIPPED_CATALOGUE)
    models = catalogue.find_models(rows)
    if kind == "simulated":
        rows = catalogue.with_simulation(rows)
    else:
        progress.say("Loading the language model")
        ports = start_frameworks(children, models)
        progress.say("Registering the compute function")
        function_id = globus.register_function(children, cloud)
        rows = catalogue.with_compute(rows, endpoint_id=personas.ENDPOINT_ID, function_id=function_id, ports=ports)
        if kind == "federated":
            progress.say("Starting two clusters")
            rows = federate(children, cloud, rows, models, ports[models.chat])
    layout.CATALOGUE_FILE.write_text(json.dumps(rows, indent=2), encoding="utf-8")
    return models


def federate(children: Children, cloud: globus.LocalCloud, rows: Rows, models: Models, chat_port: int) -> Rows:
    """Start two clusters and have the rows say so. Raises `DemoError`."""
    ports = federation.start_clusters(children, models, chat_port)
    endpoints = federation.create_endpoints(cloud)
    status_id = globus.register_function(children, cloud, federation.STATUS_FUNCTION, federation.STATUS_UUID_FILE)
    return federation.with_clusters(rows, models, endpoints=endpoints, status_function_id=status_id, ports=ports)
