"""What counts as an answer, and as a failure, when a benchmark kills things."""

from pathlib import Path

import pytest

from benchmarks.client import Answer
from benchmarks.federation import cold_start, failover

CHUNK = b'data: {"choices":[{"delta":{"content":"x"},"finish_reason":null}]}\n\n'
LAST = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
BROKEN = b'data: {"error":{"code":"stream_interrupted"}}\n\n'


def answer(body: bytes, status: int = 200, *, is_complete: bool = True) -> Answer:
    return Answer(status, body, 1.0, 1.5, 2.0, is_complete, 0.5)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (answer(b": cold position=3\n\n" + CHUNK + LAST + DONE), True),
        (answer(b'   {"choices":[{"message":{}}]}'), True),
        (answer(CHUNK + BROKEN), False),
        (answer(CHUNK + DONE), False),
        (answer(b"   ", is_complete=False), False),
        (answer(b'{"error":{"code":"model_loading"}}', 503), False),
    ],
)
def test_waiter_is_answered_by_a_whole_answer_only(seen: Answer, *, expected: bool) -> None:
    assert cold_start.is_answered(seen) is expected


@pytest.mark.parametrize(
    ("seen", "counts"),
    [
        (answer(CHUNK + LAST + DONE), (1, 0, 0)),
        (answer(CHUNK + BROKEN), (0, 1, 0)),
        (answer(BROKEN), (0, 0, 1)),
        (answer(b'{"error":{"code":"backend_error"}}', 502), (0, 0, 1)),
        (answer(b"", 0, is_complete=False), (0, 0, 1)),
    ],
)
def test_only_what_had_begun_may_break_off(seen: Answer, counts: tuple[int, int, int]) -> None:
    load = failover.Load()
    failover.note(load, seen)
    assert (len(load.latencies_s), load.begun_and_broken, len(load.failed)) == counts


def test_starts_are_counted_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    log.write_text("x model_starts target=a/b/c\ny\nz model_starts target=a/b/c\n")
    assert cold_start.count_starts(log) == 2
