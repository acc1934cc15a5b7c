"""Targets die under load and come back: requests that they had not begun to answer succeed elsewhere."""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from benchmarks.client import Answer, Connection, connect
from benchmarks.exchange import PACED, build_request
from benchmarks.figures import Verdict
from benchmarks.processes import BenchmarkError, Program, Programs, find_free_port, is_listening
from benchmarks.report import say
from benchmarks.statistics import quantile
from benchmarks.targets.cloud import Cloud
from benchmarks.targets.gateway import CHAT_PATH, build_row, serve_gateway

MODEL = "twice/model"
EVENTS = 4
_CLUSTERS = ("first", "second")
_BACK_WITHIN_S = 75.0
_WAKE_S = 8.0
"""After a death, within which answers may come from one target alone."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    deaths: int = 20
    """In turns of the two targets."""
    concurrency: int = 64
    calm_s: float = 1.0
    """Load before each death."""


@dataclass
class Load:
    """What all connections have seen."""

    is_over: bool = False
    asked: int = 0
    begun_and_broken: int = 0
    failed: list[str] = field(default_factory=list)
    latencies_s: list[tuple[float, float]] = field(default_factory=list)
    """When each answer's first byte came, and after how long."""


def measure(programs: Programs, cloud: Cloud, port: int, sizes: Sizes) -> dict[str, float]:
    """Figures of the deaths. Raises `BenchmarkError`."""
    ports = (find_free_port(), find_free_port())
    mocks = [_start_mock(programs, number, ports[number]) for number in (0, 1)]
    rows = [build_row(1, MODEL, *(_build_target(number, ports[number]) for number in (0, 1)))]
    serve_gateway(programs, port, cloud, rows)
    headers = {"Authorization": f"Bearer {cloud.issue_token()}"}
    return asyncio.run(_run(programs, port, headers, sizes, list(zip(mocks, ports, strict=True))))


def judge(figures: Mapping[str, float]) -> list[Verdict]:
    """The bounds of a death."""
    return [
        Verdict(
            "failover: met a death, succeeded elsewhere", figures["succeeded_share"] * 100, 99.9, "%", at_least=True
        ),
        Verdict("failover: added by a death, slowest", figures["added_max_ms"], 300, "ms"),
        Verdict("failover: ejected after, slowest", figures["ejected_max_s"], 10, "s"),
        Verdict("failover: used again after, slowest", figures["back_max_s"], 60, "s"),
    ]


async def _run(
    programs: Programs,
    port: int,
    headers: Mapping[str, str],
    sizes: Sizes,
    targets: list[tuple[Program, int]],
) -> dict[str, float]:
    load = Load()
    workers = [asyncio.create_task(_ask_on(port, headers, load, number)) for number in range(sizes.concurrency)]
    killed_at, ejected_s, back_s = [], [], []
    try:
        for death in range(sizes.deaths):
            await asyncio.sleep(sizes.calm_s)
            number = death % 2
            program, mock_port = targets[number]
            killed_at.append(time.perf_counter())
            program.kill()
            ejected_s.append(await _until_offline(port, headers, number, killed_at[-1]))
            targets[number] = (await asyncio.to_thread(_start_mock, programs, number, mock_port), mock_port)
            back_s.append(await _until_used(port, headers, number, time.perf_counter()))
    finally:
        load.is_over = True
        await asyncio.gather(*workers)
    failovers = await _count_failovers(port, headers)
    return {**_describe(load, killed_at, failovers), "ejected_max_s": max(ejected_s), "back_max_s": max(back_s)}


def _describe(load: Load, killed_at: list[float], failovers: float) -> dict[str, float]:
    calm = sorted(
        latency for at, latency in load.latencies_s if not any(0 <= at - kill < _WAKE_S for kill in killed_at)
    )
    during = sorted(latency for at, latency in load.latencies_s if any(0 <= at - kill < 1 for kill in killed_at))
    met = failovers + len(load.failed)
    for text, count in Counter(load.failed).most_common(3):
        say(f"{count} failed: {text}")
    if not calm or not during or not failovers:
        raise BenchmarkError("no request met a death, or none was answered in peace")
    usual_s = quantile(calm, 0.5)
    return {
        "requests": load.asked,
        "met_a_death": met,
        "failed": len(load.failed),
        "begun_and_broken": load.begun_and_broken,
        "succeeded_share": 1 - len(load.failed) / met,
        "usual_p50_ms": usual_s * 1000,
        "added_p99_ms": (quantile(during, 0.99) - usual_s) * 1000,
        "added_max_ms": (during[-1] - usual_s) * 1000,
    }


async def _count_failovers(port: int, headers: Mapping[str, str]) -> float:
    """Requests that went on to another target, as the gateway's own metric counts them."""
    page = (await _once(port, _build_get(port, "/resource_server/metrics", headers))).body.decode()
    lines = (line for line in page.splitlines() if line.startswith("gateway_failovers_total"))
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


async def _ask_on(port: int, headers: Mapping[str, str], load: Load, number: int) -> None:
    connection = await connect(port)
    while not load.is_over:
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


async def _until_offline(port: int, headers: Mapping[str, str], number: int, since: float) -> float:
    """Seconds from `since` until the target is known to be offline."""
    path = f"/resource_server/{_CLUSTERS[number]}/vllm/v1/models/{PACED}"
    while time.perf_counter() < since + _BACK_WITHIN_S:
        answer = await _once(port, _build_get(port, path, headers))
        if json.loads(answer.body).get("status") == "offline":
            return time.perf_counter() - since
        await asyncio.sleep(0.05)
    raise BenchmarkError("a dead target was not known to be offline in time")


async def _until_used(port: int, headers: Mapping[str, str], number: int, since: float) -> float:
    """Seconds from `since` until the target answers a request of its own path again."""
    path = f"/resource_server/{_CLUSTERS[number]}/vllm/v1/chat/completions"
    body = json.dumps({"model": PACED, "messages": [{"role": "user", "content": "x"}]}).encode()
    while time.perf_counter() < since + _BACK_WITHIN_S:
        if (await _once(port, build_request(port, path, headers, body))).status == HTTPStatus.OK:
            return time.perf_counter() - since
        await asyncio.sleep(0.2)
    raise BenchmarkError("a target that had come back was not used again in time")


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
        "cluster": _CLUSTERS[number],
        "framework": "vllm",
        "model": PACED,
        "base_url": f"http://127.0.0.1:{port}/v1",
    }


def _start_mock(programs: Programs, number: int, port: int) -> Program:
    program = programs.start(f"mock-{number}", [sys.executable, "-m", "benchmarks.mock", str(port)])
    program.wait_until(lambda: is_listening(port))
    return program
