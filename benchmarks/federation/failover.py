"""A target dies under load and comes back: requests that it had not begun to answer succeed elsewhere."""

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from benchmarks.client import Answer, Connection, connect
from benchmarks.exchange import PACED, build_request
from benchmarks.figures import Verdict
from benchmarks.processes import BenchmarkError, Program, Programs, find_free_port, is_listening
from benchmarks.statistics import quantile
from benchmarks.targets.cloud import Cloud
from benchmarks.targets.gateway import CHAT_PATH, build_row, serve_gateway

MODEL = "twice/model"
EVENTS = 4
_BACK_WITHIN_S = 75.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    requests: int = 5_000
    concurrency: int = 64
    kill_after: int = 1_500
    """Requests, after which the first target is killed."""


@dataclass
class Load:
    """What all connections have seen."""

    left: int
    asked: int = 0
    begun_and_broken: int = 0
    failed: list[str] = field(default_factory=list)
    latencies_s: list[tuple[float, float]] = field(default_factory=list)
    """When each answer's first byte came, and after how long."""


def measure(programs: Programs, cloud: Cloud, port: int, sizes: Sizes) -> dict[str, float]:
    """Figures of one death. Raises `BenchmarkError`."""
    ports = (find_free_port(), find_free_port())
    mocks = [_start_mock(programs, number, ports[number]) for number in (0, 1)]
    rows = [build_row(1, MODEL, *(_build_target(number, ports[number]) for number in (0, 1)))]
    serve_gateway(programs, port, cloud, rows)
    headers = {"Authorization": f"Bearer {cloud.issue_token()}"}
    return asyncio.run(_run(programs, port, headers, sizes, mocks[0], ports[0]))


def judge(figures: Mapping[str, float]) -> list[Verdict]:
    """The bounds of a death."""
    return [
        Verdict("failover: not begun, succeeded elsewhere", figures["succeeded_share"] * 100, 99.9, "%", at_least=True),
        Verdict("failover: added at the death, slowest", figures["added_max_ms"], 300, "ms"),
        Verdict("failover: ejected after", figures["ejected_s"], 10, "s"),
        Verdict("failover: used again after", figures["back_s"], 60, "s"),
    ]


async def _run(  # noqa: PLR0913, PLR0917 - one measurement
    programs: Programs, port: int, headers: Mapping[str, str], sizes: Sizes, victim: Program, victim_port: int
) -> dict[str, float]:
    load = Load(sizes.requests)
    workers = [asyncio.create_task(_ask_on(port, headers, load, number)) for number in range(sizes.concurrency)]
    while load.asked < min(sizes.kill_after, sizes.requests - 1):  # noqa: ASYNC110 - a plain count
        await asyncio.sleep(0.005)
    killed_at = time.perf_counter()
    victim.kill()
    await asyncio.gather(*workers)
    ejected_s = await _until_state(port, headers, {"offline"}, killed_at)
    await asyncio.to_thread(_start_mock, programs, 0, victim_port)
    back_s = await _until_used(port, headers, time.perf_counter())
    return _describe(load, killed_at, ejected_s, back_s)


def _describe(load: Load, killed_at: float, ejected_s: float, back_s: float) -> dict[str, float]:
    before = sorted(latency for at, latency in load.latencies_s if at < killed_at)
    during = sorted(latency for at, latency in load.latencies_s if killed_at <= at < killed_at + 1)
    if not before or not during:
        raise BenchmarkError("the target died before anything was measured, or after all of it")
    usual_s = quantile(before, 0.5)
    not_begun = load.asked - load.begun_and_broken
    return {
        "requests": load.asked,
        "failed": len(load.failed),
        "begun_and_broken": load.begun_and_broken,
        "succeeded_share": 1 - len(load.failed) / not_begun,
        "usual_p50_ms": usual_s * 1000,
        "added_p99_ms": (quantile(during, 0.99) - usual_s) * 1000,
        "added_max_ms": (during[-1] - usual_s) * 1000,
        "ejected_s": ejected_s,
        "back_s": back_s,
    }


async def _ask_on(port: int, headers: Mapping[str, str], load: Load, number: int) -> None:
    connection = await connect(port)
    while load.left > 0:
        load.left -= 1
        load.asked += 1
        answer = await connection.ask(
            _build(port, headers, stream=load.asked % 2 == 0, session=f"{number}-{load.asked}")
        )
        if not note(load, answer):
            connection.close()
            connection = await connect(port)
    connection.close()


def note(load: Load, answer: Answer) -> bool:
    """Take an answer in; whether its connection may be used again."""
    has_begun = b'"content"' in answer.body
    is_whole = answer.is_complete and (b"[DONE]" in answer.body or b'"usage"' in answer.body)
    if answer.status == HTTPStatus.OK and is_whole:
        load.latencies_s.append((answer.first_at, answer.first_at - answer.sent_at))
    elif answer.status == HTTPStatus.OK and has_begun and b"stream_interrupted" in answer.body:
        load.begun_and_broken += 1
    else:
        load.failed.append(f"{answer.status} {answer.body[-200:]!r}")
    return answer.is_complete


async def _until_state(port: int, headers: Mapping[str, str], states: set[str], since: float) -> float:
    """Seconds from `since` until the first target is in one of `states`."""
    path = f"/resource_server/first/vllm/v1/models/{PACED}"
    while time.perf_counter() < since + _BACK_WITHIN_S:
        answer = await _once(port, _build_get(port, path, headers))
        if json.loads(answer.body).get("status") in states:
            return time.perf_counter() - since
        await asyncio.sleep(0.05)
    raise BenchmarkError(f"the first target was not {states} in time")


async def _until_used(port: int, headers: Mapping[str, str], since: float) -> float:
    """Seconds from `since` until the first target answers a request of its own path again."""
    path = "/resource_server/first/vllm/v1/chat/completions"
    body = json.dumps({"model": PACED, "messages": [{"role": "user", "content": "x"}]}).encode()
    while time.perf_counter() < since + _BACK_WITHIN_S:
        if (await _once(port, build_request(port, path, headers, body))).status == HTTPStatus.OK:
            return time.perf_counter() - since
        await asyncio.sleep(0.2)
    raise BenchmarkError("the first target was not used again in time")


async def _once(port: int, request: bytes) -> Answer:
    connection: Connection = await connect(port)
    try:
        return await connection.ask(request)
    finally:
        connection.close()


def _build(port: int, headers: Mapping[str, str], *, stream: bool, session: str) -> bytes:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "x"}], "session_id": session, "stream": stream}
    if stream:
        body |= {"max_tokens": EVENTS, "user": session}
    return build_request(port, CHAT_PATH, headers, json.dumps(body).encode())


def _build_get(port: int, path: str, headers: Mapping[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{lines}\r\n".encode()


def _build_target(number: int, port: int) -> dict[str, object]:
    return {
        "backend": "openai_http",
        "cluster": ("first", "second")[number],
        "framework": "vllm",
        "model": PACED,
        "base_url": f"http://127.0.0.1:{port}/v1",
    }


def _start_mock(programs: Programs, number: int, port: int) -> Program:
    program = programs.start(f"mock-{number}", [sys.executable, "-m", "benchmarks.mock", str(port)])
    program.wait_until(lambda: is_listening(port))
    return program
