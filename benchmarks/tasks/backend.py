"""Tasks through the gateway's own backend: ``python -m benchmarks.tasks.backend PLAN`` prints JSON."""

import asyncio
import json
import sys
import time
from contextlib import AsyncExitStack
from itertools import cycle

import uvloop

from benchmarks.exchange import PACED, build_body
from benchmarks.tasks.plan import STRAGGLER_S, TaskPlan, decode_task_plan, summarise
from resource_server.backends.base import BackendFailure, Call
from resource_server.backends.globus_compute.backend import GlobusComputeBackend
from resource_server.backends.globus_compute.settings import GlobusComputeSettings
from resource_server.domain.operations import Operation
from resource_server.domain.targets import GlobusComputeTarget
from resource_server.relay.relay import open_relay
from resource_server.state.memory import MemoryState


async def run(plan: TaskPlan) -> dict[str, float]:
    """Hand the tasks over and wait for their results, which come without the relay."""
    targets = [_build_target(plan, number, endpoint_id) for number, endpoint_id in enumerate(plan.endpoint_ids)]
    async with AsyncExitStack() as stack:
        state = MemoryState()
        relay = await open_relay(state, "", b"benchmarks-only" * 4, "bench")
        stack.push_async_callback(relay.aclose)
        settings = GlobusComputeSettings(
            client_id=plan.client_id,
            client_secret=plan.client_secret,
            service_url=plan.service_url,
            relay_enabled=False,
        )
        backend = GlobusComputeBackend(settings, relay, state, lambda: targets)
        stack.push_async_callback(backend.aclose)
        backend.start()
        for target in targets:  # first tasks pay for the connections
            await _ask(backend, target)
        started_at = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            asked = [
                group.create_task(_ask_at(started_at + number / plan.rate_per_s, backend, target))
                for number, target in zip(range(plan.tasks), cycle(targets), strict=False)
            ]
    durations = [duration for task in asked if (duration := task.result()) is not None]
    return summarise(plan.tasks, durations)


def _build_target(plan: TaskPlan, number: int, endpoint_id: str) -> GlobusComputeTarget:
    return GlobusComputeTarget(
        cluster=f"cluster{number}",
        framework="vllm",
        model=PACED,
        endpoint_uuid=endpoint_id,
        function_uuid=plan.function_id,
        max_concurrency=5000,
    )


async def _ask_at(at: float, backend: GlobusComputeBackend, target: GlobusComputeTarget) -> float | None:
    await asyncio.sleep(max(at - time.perf_counter(), 0))
    return await _ask(backend, target)


async def _ask(backend: GlobusComputeBackend, target: GlobusComputeTarget) -> float | None:
    """Seconds from the call to the last byte of its answer; `None` if it failed."""
    asked_at = time.perf_counter()
    deadline = time.monotonic() + STRAGGLER_S
    call = Call("req_bench", target, Operation.CHAT_COMPLETIONS, build_body(PACED), stream=False, deadline=deadline)
    try:
        upstream = await backend.open(call)
        try:
            while await upstream.read(STRAGGLER_S) != b"":
                pass
        finally:
            await upstream.aclose()
    except BackendFailure as exc:
        print(f"benchmarks: {exc}", file=sys.stderr)
        return None
    return time.perf_counter() - asked_at


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(decode_task_plan(sys.argv[1])))))
