"""The second part of the benchmark, on a compute endpoint of the local Globus cloud, inside the 20-per-10-s limit."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from benchmarks.exchange import PACED
from benchmarks.plans import Address, Plan
from benchmarks.processes import ROOT, BenchmarkError, Programs, find_free_port
from benchmarks.targets.cloud import SECRET, SERVICE_ACCOUNT_ID, Cloud
from benchmarks.targets.gateway import CHAT_PATH, build_row, serve_gateway
from benchmarks.targets.target import Target
from benchmarks.tasks.plan import FUNCTION, TaskPlan

UUID_FILE = "vllm_register_function_sophia_multiple_models.txt"
_ONLINE_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured.

    Attributes:
        rates_per_s: of the `Executor` and of the backend, on one endpoint.
        endpoints: further runs of the backend, at the highest rate, on so many.
        seconds: of each of them.
        first_tokens: streams through the whole gateway, one a second.
    """

    rates_per_s: Sequence[float] = (1, 5, 20, 50)
    endpoints: Sequence[int] = (4, 16)
    seconds: float = 10.0
    first_tokens: int = 12


FULL = Sizes()
QUICK = Sizes(rates_per_s=(50,), endpoints=(), seconds=5.0, first_tokens=4)


def measure(
    programs: Programs, cloud: Cloud, mock: Target, sizes: Sizes, say: Callable[[str], None]
) -> dict[str, dict[str, float]]:
    """Every point by its name."""
    endpoint_ids = [_create_endpoint(cloud, 0, 8)]
    plan = TaskPlan(cloud.url, SERVICE_ACCOUNT_ID, SECRET, endpoint_ids, _register(cloud), 0, sizes.seconds)
    _wait_online(cloud, endpoint_ids)
    found: dict[str, dict[str, float]] = {}
    for rate in sizes.rates_per_s:
        for who in ("executor", "backend"):
            name = f"{who}, 1 endpoint, {rate:g}/s"
            say(name)
            found[name] = _run(programs, cloud, who, replace(plan, rate_per_s=rate))
    say("first token")
    found["first token"] = _measure_first_token(programs, cloud, mock, plan, sizes)
    for count in sizes.endpoints:
        name = f"backend, {count} endpoints, {sizes.rates_per_s[-1]:g}/s"
        say(name)
        cloud.admin.clear_faults()
        endpoint_ids += [_create_endpoint(cloud, number, 2) for number in range(len(endpoint_ids), count)]
        several = replace(plan, endpoint_ids=endpoint_ids, rate_per_s=sizes.rates_per_s[-1])
        _wait_online(cloud, endpoint_ids)
        found[name] = _run(programs, cloud, "backend", several)
    return found


def _run(programs: Programs, cloud: Cloud, who: str, plan: TaskPlan) -> dict[str, float]:
    _renew_limit(cloud)
    output = programs.run([sys.executable, "-m", f"benchmarks.tasks.{who}", plan.encode()], cloud.environ())
    found: dict[str, float] = json.loads(output.splitlines()[-1])
    return found


def _renew_limit(cloud: Cloud) -> None:
    """Every point begins with an empty window: what the last one used is not its fault."""
    cloud.admin.clear_faults()
    cloud.admin.set_rate_limit(enabled=True, limit=20, window_s=10.0)


def _create_endpoint(cloud: Cloud, number: int, concurrency: int) -> str:
    return cloud.admin.create_endpoint(f"bench-{number}", SERVICE_ACCOUNT_ID, concurrency=concurrency)


def _register(cloud: Cloud) -> str:
    function = {"function_name": "answer", "function_code": FUNCTION, "serialized": False, "meta": {}}
    return str(cloud.call_compute("/v3/functions", function)["function_uuid"])


def _wait_online(cloud: Cloud, endpoint_ids: Sequence[str]) -> None:
    give_up_at = time.monotonic() + _ONLINE_WAIT_S
    for endpoint_id in endpoint_ids:
        while cloud.call_compute(f"/v2/endpoints/{endpoint_id}/status")["status"] != "online":
            if time.monotonic() > give_up_at:
                raise BenchmarkError(f"the compute endpoint {endpoint_id} does not come online")
            time.sleep(0.2)


def _measure_first_token(
    programs: Programs, cloud: Cloud, mock: Target, plan: TaskPlan, sizes: Sizes
) -> dict[str, float]:
    """From the request to the first streamed token, through the whole gateway and the shipped function's relay."""
    port = find_free_port()
    place = {"cluster": "bench", "framework": "vllm", "model": PACED, "relay": True, "api_port": mock.address.port}
    place |= {"endpoint_uuid": plan.endpoint_ids[0], "function_uuid": _register_shipped(programs, cloud)}
    gateway = serve_gateway(programs, port, cloud, [build_row(1, PACED, place)])
    address = Address(port, CHAT_PATH, {"Authorization": f"Bearer {cloud.issue_token()}"})
    stream = Plan("streams", address, PACED, events=4)
    load = [sys.executable, "-m", "benchmarks.load"]
    _renew_limit(cloud)
    programs.run([*load, stream.encode()])  # the first call pays for the connections
    count = sizes.first_tokens
    found = json.loads(programs.run([*load, replace(stream, concurrency=count, spread_s=count * 1.0).encode()]))
    gateway.stop()
    figures = {"requests": count, "failures": count - found["equal"]}
    return {**figures, "p50_ms": found["first_p50_ms"], "p95_ms": found["first_p95_ms"]}


def _register_shipped(programs: Programs, cloud: Cloud) -> str:
    """Register the shipped function with the documented command, in a folder of its own."""
    folder = programs.folder / "functions"
    folder.mkdir()
    credentials = {"GLOBUS_COMPUTE_CLIENT_ID": SERVICE_ACCOUNT_ID, "GLOBUS_COMPUTE_CLIENT_SECRET": SECRET}
    script = ROOT / "compute-functions" / "vllm_register_function.py"
    programs.run([sys.executable, str(script)], {**cloud.environ(), **credentials}, cwd=folder)
    return (folder / UUID_FILE).read_text(encoding="utf-8").strip()
