"""The second part of the benchmark, on a compute endpoint of the local Globus cloud, inside the 20-per-10-s limit."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from benchmarks.processes import BenchmarkError, Programs
from benchmarks.targets.cloud import SECRET, SERVICE_ACCOUNT_ID, Cloud
from benchmarks.targets.target import Target
from benchmarks.tasks.plan import FUNCTION, TaskPlan
from benchmarks.tasks.relay import measure_events, measure_first_token, start_relaying_gateway

_ONLINE_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured.

    Attributes:
        rates_per_s: of the `Executor` and of the backend, on one endpoint.
        endpoints: further runs of the backend, at the highest rate, on so many.
        seconds: of each of them.
        first_tokens: streams through the whole gateway, one a second.
        relay_streams: streams at once through the whole gateway, as many as its endpoint runs.
        relay_events: content events of each of them.
    """

    rates_per_s: Sequence[float] = (1, 5, 20, 50)
    endpoints: Sequence[int] = (4, 16)
    seconds: float = 10.0
    first_tokens: int = 12
    relay_streams: int = 100
    relay_events: int = 120


FULL = Sizes()
QUICK = Sizes(rates_per_s=(50,), endpoints=(), seconds=4.0, first_tokens=3, relay_events=60)


def measure(
    programs: Programs, cloud: Cloud, mock: Target, sizes: Sizes, say: Callable[[str], None]
) -> dict[str, dict[str, float]]:
    """Every point by its name."""
    endpoint_ids = [_create_endpoint(cloud, "bench-0", 8)]
    plan = TaskPlan(cloud.url, SERVICE_ACCOUNT_ID, SECRET, endpoint_ids, _register(cloud), 0, sizes.seconds)
    _wait_online(cloud, endpoint_ids)
    found: dict[str, dict[str, float]] = {}
    for rate in sizes.rates_per_s:
        for who in ("executor", "backend"):
            name = f"{who}, 1 endpoint, {rate:g}/s"
            say(name)
            found[name] = _run(programs, cloud, who, replace(plan, rate_per_s=rate))
    found |= _measure_relay(programs, cloud, mock, sizes, say)
    for count in sizes.endpoints:
        name = f"backend, {count} endpoints, {sizes.rates_per_s[-1]:g}/s"
        say(name)
        cloud.admin.clear_faults()
        endpoint_ids += [_create_endpoint(cloud, f"bench-{number}", 2) for number in range(len(endpoint_ids), count)]
        several = replace(plan, endpoint_ids=endpoint_ids, rate_per_s=sizes.rates_per_s[-1])
        _wait_online(cloud, endpoint_ids)
        found[name] = _run(programs, cloud, "backend", several)
    return found


def _measure_relay(
    programs: Programs, cloud: Cloud, mock: Target, sizes: Sizes, say: Callable[[str], None]
) -> dict[str, dict[str, float]]:
    endpoint_id = _create_endpoint(cloud, "bench-relay", sizes.relay_streams)
    _wait_online(cloud, [endpoint_id])
    with Programs(programs.folder, programs.cores) as gateways:
        gateway = start_relaying_gateway(gateways, cloud, endpoint_id, mock)
        say("first token")
        _renew_limit(cloud)
        found = {"first token": measure_first_token(programs, gateway, sizes.first_tokens)}
        say("relay")
        renew_limit = partial(_renew_limit, cloud)
        return found | measure_events(programs, gateway, sizes.relay_streams, sizes.relay_events, renew_limit)


def _run(programs: Programs, cloud: Cloud, who: str, plan: TaskPlan) -> dict[str, float]:
    _renew_limit(cloud)
    output = programs.run([sys.executable, "-m", f"benchmarks.tasks.{who}", plan.encode()], cloud.environ())
    found: dict[str, float] = json.loads(output.splitlines()[-1])
    return found


def _renew_limit(cloud: Cloud) -> None:
    """Every point begins with an empty window: what the last one used is not its fault."""
    cloud.admin.clear_faults()
    cloud.admin.set_rate_limit(enabled=True, limit=20, window_s=10.0)


def _create_endpoint(cloud: Cloud, name: str, concurrency: int) -> str:
    return cloud.admin.create_endpoint(name, SERVICE_ACCOUNT_ID, concurrency=concurrency)


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
