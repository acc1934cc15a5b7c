"""Many wait for one cold model: all are answered, one start is triggered, and no connection is silent for long."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from benchmarks.client import Answer, connect
from benchmarks.exchange import DONE, build_request
from benchmarks.figures import Verdict
from benchmarks.processes import BenchmarkError, Programs
from benchmarks.targets.cloud import Cloud
from benchmarks.targets.gateway import CHAT_PATH, build_row, serve_gateway

MODEL = "cold/model"
START_S = 180.0
TIME_SCALE = 10.0
"""The start is that much shorter. Heartbeats and the client's patience are as they are served."""
CLIENT_TIMEOUT_S = 600.0
_WHOLE_EVERY = 10
"""One waiter in so many asks for the answer in one piece."""
_GRACE_S = 60.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    waiters: int = 500
    start_s: float = START_S / TIME_SCALE


def measure(programs: Programs, cloud: Cloud, port: int, sizes: Sizes) -> dict[str, float]:
    """Figures of one cold start. Raises `BenchmarkError`."""
    target = {
        "backend": "simulated",
        "cluster": "cold",
        "framework": "vllm",
        "model": MODEL,
        "first_token_ms": 50,
        "cold_start_s": sizes.start_s,
    }
    program = serve_gateway(programs, port, cloud, [build_row(1, MODEL, target)], LOG_LEVEL="INFO")
    headers = {"Authorization": f"Bearer {cloud.issue_token()}"}
    answers = asyncio.run(_wait_together(port, headers, sizes))
    starts = count_starts(programs.folder / f"{program.name}.log")
    program.stop()
    complete = [answer for answer in answers if is_answered(answer)]
    if not complete:
        raise BenchmarkError(f"nobody was answered: {answers[0].status} {answers[0].body[-300:]!r}")
    return {
        "waiters": len(answers),
        "answered": len(complete),
        "starts": starts,
        "longest_silence_s": _find_silence_s(complete, is_whole=False),
        "longest_silence_whole_s": _find_silence_s(complete, is_whole=True),
        "slowest_s": max(answer.ended_at - answer.sent_at for answer in complete),
        "start_s": sizes.start_s,
    }


def judge(figures: Mapping[str, float]) -> list[Verdict]:
    """The bounds of a cold start."""
    return [
        Verdict("cold start: waiters answered", figures["answered"], figures["waiters"], "", at_least=True),
        Verdict("cold start: jobs started", figures["starts"], 1, ""),
        Verdict("cold start: longest silence of a stream", figures["longest_silence_s"], 10, "s"),
        Verdict("cold start: the same, in one piece", figures["longest_silence_whole_s"], 20, "s"),
    ]


async def _wait_together(port: int, headers: Mapping[str, str], sizes: Sizes) -> list[Answer]:
    async with asyncio.timeout(sizes.start_s + _GRACE_S):
        return await asyncio.gather(*(_wait(port, headers, number) for number in range(sizes.waiters)))


async def _wait(port: int, headers: Mapping[str, str], number: int) -> Answer:
    is_whole = number % _WHOLE_EVERY == 0
    body = {"model": MODEL, "messages": [{"role": "user", "content": "x"}], "max_tokens": 8, "stream": not is_whole}
    more = {"x-stainless-read-timeout": f"{CLIENT_TIMEOUT_S}"} if is_whole else {}
    connection = await connect(port)
    try:
        return await connection.ask(build_request(port, CHAT_PATH, {**headers, **more}, json.dumps(body).encode()))
    finally:
        connection.close()


def _find_silence_s(answers: list[Answer], *, is_whole: bool) -> float:
    """The longest; an answer in one piece may be silent for 20 s before its white space begins (wire contract)."""
    return max(answer.longest_gap_s for answer in answers if answer.body.endswith(DONE) is not is_whole)


def is_answered(answer: Answer) -> bool:
    """Whether it is a whole answer: a stream with its end, or a JSON document with choices."""
    if answer.status != HTTPStatus.OK or not answer.is_complete:
        return False
    if answer.body.endswith(DONE):
        return b'"finish_reason":"stop"' in answer.body or b'"finish_reason":"length"' in answer.body
    try:
        return bool(json.loads(answer.body)["choices"])
    except (ValueError, KeyError):
        return False


def count_starts(log: Path) -> int:
    """How many calls that start a model the gateway's log tells of."""
    return log.read_text(errors="replace").count("model_starts target=")
