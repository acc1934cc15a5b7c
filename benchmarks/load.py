"""The load generator, a process of its own: ``python -m benchmarks.load PLAN`` prints its findings as JSON."""

import asyncio
import gc
import json
import sys
import time

import uvloop

from benchmarks.client import Answer, Connection, connect
from benchmarks.exchange import build_body, build_events, build_request
from benchmarks.plans import Address, Plan, decode_plan
from benchmarks.statistics import quantile

_OK = 200
_GRACE_S = 30.0
_SHARES = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))


async def run(plan: Plan) -> dict[str, float]:
    """Do it; see each kind's function for what it finds."""
    kinds = {"unary": run_unary, "paired": run_paired, "streams": run_streams}
    async with asyncio.timeout(plan.seconds + plan.spread_s + plan.events + _GRACE_S):
        return await kinds[plan.kind](plan)


async def run_unary(plan: Plan) -> dict[str, float]:
    """Requests one after another on each of `concurrency` connections."""
    request = _build_unary(plan.address, plan.model)
    connections = [await connect(plan.address.port) for _ in range(plan.concurrency)]
    started_at = time.perf_counter()
    answers = await asyncio.gather(*(_ask_until(started_at + plan.seconds, one, request) for one in connections))
    elapsed_s = time.perf_counter() - started_at
    durations = [duration for each in answers for duration in each]
    for one in connections:
        one.close()
    return {"requests": len(durations), "requests_per_s": len(durations) / elapsed_s, **_latencies("", durations)}


async def run_paired(plan: Plan) -> dict[str, float]:
    """One request at a time, in turn to the target and to the baseline: what the target adds."""
    if plan.baseline is None:
        raise ValueError("a paired plan needs a baseline")
    asked = ((plan.address, plan.model), (plan.baseline, plan.baseline_model))
    sides: list[tuple[Connection, bytes, list[float]]] = [
        (await connect(address.port), _build_unary(address, model), []) for address, model in asked
    ]
    until = time.perf_counter() + plan.seconds
    while time.perf_counter() < until:
        for connection, request, durations in sides:
            durations.append(_check(await connection.ask(request)))
    for connection, _, _ in sides:
        connection.close()
    target, baseline = (_latencies("", durations) for _, _, durations in sides)
    return {
        "added_p50_ms": target["p50_ms"] - baseline["p50_ms"],
        "added_p99_ms": target["p99_ms"] - baseline["p99_ms"],
        "mock_p50_ms": baseline["p50_ms"],
        "requests": len(sides[0][2]),
    }


async def run_streams(plan: Plan) -> dict[str, float]:
    """`concurrency` streams at once, each on a connection of its own and compared with what the mock sent."""
    tasks = [asyncio.create_task(_stream(plan, number)) for number in range(plan.concurrency)]
    answers = await asyncio.gather(*tasks)
    complete = [name for name, answer in answers if answer is not None and answer.is_complete and _is_whole(answer)]
    equal = sum(
        answer is not None and answer.body == b"".join(build_events(plan.model, name, plan.events, usage=False))
        for name, answer in answers
    )
    first = [answer.first_at - answer.sent_at for _, answer in answers if answer is not None]
    events = sum(answer.body.count(b"\n\n") for _, answer in answers if answer is not None)
    return {"streams": plan.concurrency, "complete": len(complete), "equal": equal, "events": events} | _latencies(
        "first_", first
    )


async def _stream(plan: Plan, number: int) -> tuple[str, Answer | None]:
    name = f"chatcmpl-{number}"
    await asyncio.sleep(plan.spread_s * number / plan.concurrency)
    try:
        connection = await connect(plan.address.port)
    except OSError:
        return name, None
    body = build_body(plan.model, name=name, events=plan.events)
    answer = await connection.ask(build_request(plan.address.port, plan.address.path, plan.address.headers, body))
    connection.close()
    return name, answer


def _is_whole(answer: Answer) -> bool:
    return answer.status == _OK and answer.body.endswith(b"data: [DONE]\n\n")


def _build_unary(address: Address, model: str) -> bytes:
    return build_request(address.port, address.path, address.headers, build_body(model))


async def _ask_until(until: float, connection: Connection, request: bytes) -> list[float]:
    durations: list[float] = []
    while time.perf_counter() < until:
        durations.append(_check(await connection.ask(request)))
    return durations


def _check(answer: Answer) -> float:
    if answer.status != _OK or not answer.is_complete:
        raise RuntimeError(f"the target answered {answer.status}: {answer.body[:300]!r}")
    return answer.ended_at - answer.sent_at


def _latencies(prefix: str, durations_s: list[float]) -> dict[str, float]:
    ordered = sorted(durations_s)
    return {f"{prefix}{name}_ms": quantile(ordered, share) * 1000 for name, share in _SHARES}


if __name__ == "__main__":
    gc.disable()  # it lives for seconds, and its pauses would be the target's latency
    print(json.dumps(uvloop.run(run(decode_plan(sys.argv[1])))))
