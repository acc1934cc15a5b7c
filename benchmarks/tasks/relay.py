"""Streams through the whole gateway: Globus Compute takes the task, the shipped function relays the mock's events."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from benchmarks.exchange import BURST, PACED
from benchmarks.http_part import cost_of_event, run_plan
from benchmarks.plans import Address, Plan
from benchmarks.processes import ROOT, Programs, find_free_port
from benchmarks.targets.cloud import SECRET, SERVICE_ACCOUNT_ID, Cloud
from benchmarks.targets.gateway import CHAT_PATH, build_row, serve_gateway
from benchmarks.targets.target import Target

UUID_FILE = "vllm_register_function_sophia_multiple_models.txt"


def start_relaying_gateway(programs: Programs, cloud: Cloud, endpoint_id: str, framework: Target) -> Target:
    """A gateway whose models run on a compute endpoint, `framework` being the server beside the function."""
    port = find_free_port()
    place = {"cluster": "bench", "framework": "vllm", "relay": True, "api_port": framework.address.port}
    place |= {"endpoint_uuid": endpoint_id, "function_uuid": _register(programs, cloud)}
    rows = [build_row(number, model, {**place, "model": model}) for number, model in enumerate((PACED, BURST), 1)]
    program = serve_gateway(programs, port, cloud, rows)
    address = Address(port, CHAT_PATH, {"Authorization": f"Bearer {cloud.issue_token()}"})
    return Target("gateway, globus_compute", program, address, defers=True)


def measure_first_token(programs: Programs, gateway: Target, count: int) -> dict[str, float]:
    """From the request to the first streamed token, one stream a second."""
    stream = Plan("streams", gateway.address, PACED, events=4)
    load = [sys.executable, "-m", "benchmarks.load"]
    programs.run([*load, stream.encode()])  # the first call pays for the connections
    time.sleep(1)  # and for its place in the pace of submits
    found = json.loads(programs.run([*load, replace(stream, concurrency=count, spread_s=count * 1.0).encode()]))
    figures = {"requests": count, "failures": count - found["equal"]}
    return {**figures, "p50_ms": found["first_p50_ms"], "p95_ms": found["first_p95_ms"]}


def measure_events(
    programs: Programs, gateway: Target, streams: int, events: int, renew_limit: Callable[[], None]
) -> dict[str, dict[str, float]]:
    """What an event costs the gateway, one by one and in bursts; the request and its task are in it."""
    found: dict[str, dict[str, float]] = {}
    for name, model in (("paced", PACED), ("bursts", BURST)):
        renew_limit()
        plan = Plan("streams", gateway.address, model, concurrency=streams, events=events)
        one = run_plan(programs, gateway, plan)
        figures = {"requests": streams, "failures": streams - one["equal"], "cpu_us_per_event": cost_of_event(one)}
        found[f"relay, {streams} streams, {name}"] = figures
    return found


def _register(programs: Programs, cloud: Cloud) -> str:
    """Register the shipped function with the documented command, in a folder of its own."""
    folder = programs.folder / "functions"
    folder.mkdir()
    credentials = {"GLOBUS_COMPUTE_CLIENT_ID": SERVICE_ACCOUNT_ID, "GLOBUS_COMPUTE_CLIENT_SECRET": SECRET}
    script = ROOT / "compute-functions" / "vllm_register_function.py"
    programs.run([sys.executable, str(script)], {**cloud.environ(), **credentials}, cwd=folder)
    return (folder / UUID_FILE).read_text(encoding="utf-8").strip()
