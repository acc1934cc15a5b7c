"""The federated demo: two clusters behind one model name, one of them hot."""

import functools
import http.client
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import closing

from demo import globus, layout, personas
from demo.catalogue import Models, Rows
from demo.environment import build_environ
from demo.errors import DemoError
from demo.ports import HOST, pick_free_port
from demo.processes import Children, Program
from demo.scheduler import find_folder

CLUSTERS = ("polaris", "sophia")
"""The first is hot, the second has to be started."""
START_WAIT_S = 20.0
REPORT_WAIT_S = 40.0
STATUS_FUNCTION = "qstat_register_function.py"
STATUS_UUID_FILE = "qstat_register_function.txt"


def start_clusters(children: Children, models: Models, chat_port: int) -> dict[str, int]:
    """Start both, with the chat server computing for them; returns port by cluster. Raises `DemoError`."""
    shutil.rmtree(layout.CLUSTERS, ignore_errors=True)
    ports = {}
    for name in CLUSTERS:
        find_folder(name).mkdir(parents=True)
        port = ports[name] = pick_free_port()
        options = ["--port", str(port), "--model", models.chat, "--upstream", f"http://{HOST}:{chat_port}"]
        options += ["--hot"] if name == CLUSTERS[0] else []
        argv = [sys.executable, "-m", "demo.cluster", "serve", name, *options]
        child = children.start(Program(f"cluster {name}", argv, build_environ({}), layout.ROOT))
        children.wait_until(child, functools.partial(_is_listening, port), START_WAIT_S)
    return ports


def create_endpoints(cloud: globus.LocalCloud) -> dict[str, str]:
    """A compute endpoint on each cluster, whose functions find its scheduler's commands; returns id by cluster."""
    found = {}
    for name in CLUSTERS:
        path = f"{find_folder(name) / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        env = {
            "PATH": path,
            "INFERENCE_CLUSTER": name,
            "INFERENCE_FRAMEWORK": "llama.cpp",
            "INFERENCE_HEALTH_CHECK": "off",
            "INFERENCE_JOB_USERS": "*",
        }
        found[name] = cloud.admin.create_endpoint(name, personas.SERVICE_ACCOUNT_ID, concurrency=8, env=env)
    return found


def wait_for_reports(children: Children, port: int) -> None:
    """Until then both count as hot, and a first question could start the cold one. Raises `DemoError`."""
    give_up_at = time.monotonic() + REPORT_WAIT_S
    while not _has_reports(port):
        children.check_alive()
        if time.monotonic() > give_up_at:
            raise DemoError(f"The clusters do not report their jobs. See {layout.LOGS}/gateway.log")
        time.sleep(0.2)


def with_clusters(
    rows: Rows, models: Models, *, endpoints: Mapping[str, str], status_function_id: str, ports: Mapping[str, int]
) -> Rows:
    """The rows with the chat model on both clusters, and a row for each of these."""
    changed: Rows = []
    for row in rows:
        fields = row["fields"]
        if fields.get("target_model_name") == models.chat:
            [target] = fields["targets"]
            targets = [
                {**target, "cluster": name, "endpoint_uuid": endpoints[name], "api_port": ports[name]}
                for name in CLUSTERS
            ]
            row = {**row, "fields": {**fields, "targets": targets}}  # noqa: PLW2901 - the row as this run has it
        changed.append(row)
    for number, name in enumerate(CLUSTERS, 2001):
        cluster = {
            "name": name,
            "status_endpoint_uuid": endpoints[name],
            "status_function_uuid": status_function_id,
        }
        changed.append({"model": "resource_server.cluster", "pk": number, "fields": cluster})
    return changed


def _is_listening(port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


def _has_reports(port: int) -> bool:
    """Whether the gateway knows of every cluster's jobs."""
    connection = http.client.HTTPConnection(HOST, port, timeout=2.0)
    try:
        connection.request("GET", "/resource_server/status")
        clusters = json.load(connection.getresponse())["clusters"]
    except (OSError, ValueError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return all(clusters.get(name, {}).get("as_of") is not None for name in CLUSTERS)
