"""What of a finished request is counted, and who may read it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from resource_server.accounting.record import RequestRecord
from resource_server.domain.errors import NotFound, Overloaded
from resource_server.services.health import describe_metrics
from resource_server.services.metrics import count_request, is_refusal
from resource_server.telemetry.series import TIME_PER_OUTPUT_TOKEN, TIME_TO_FIRST_TOKEN
from resource_server.telemetry.telemetry import Telemetry

RECORD = RequestRecord(
    request_id="req_1",
    received_at=0.0,
    sub="s",
    username="",
    client_id="",
    method="POST",
    operation="chat/completions",
    model="asked/for",
    cluster="c",
    framework="f",
    target_model="served/by",
    status=200,
    error_code="",
    stream=True,
    prompt_tokens=10,
    completion_tokens=101,
    total_tokens=111,
    duration_ms=3000.0,
    first_byte_ms=10.0,
    cancelled=False,
    usage_estimated=False,
)
NOWHERE: dict[str, Any] = {"cluster": "", "framework": "", "target_model": ""}


def observed(record: RequestRecord, first_content_s: float | None) -> tuple[float, float, float]:
    """How often both times were observed by counting the record, and the sum of the second."""

    def read() -> tuple[float, float, float]:
        first = TIME_TO_FIRST_TOKEN.copy().get(("served/by",), [0.0])
        later = TIME_PER_OUTPUT_TOKEN.copy().get(("served/by",), [0.0])
        assert isinstance(first, list)
        assert isinstance(later, list)
        return sum(first[1:]), sum(later[1:]), later[0]

    before = read()
    count_request(record, first_content_s)
    after = read()
    return after[0] - before[0], after[1] - before[1], after[2] - before[2]


def test_time_per_token_leaves_out_the_first() -> None:
    *counts, per_token_s = observed(RECORD, 1.0)
    assert counts == [1, 1]
    assert per_token_s == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("changes", "first_content_s", "times"),
    [
        ({"stream": False}, None, (0, 0)),
        ({"completion_tokens": 1}, 1.0, (1, 0)),
        ({"completion_tokens": None}, 1.0, (1, 0)),
        ({"cancelled": True, "status": 499}, 1.0, (1, 0)),
        ({"error_code": "stream_interrupted"}, 1.0, (1, 0)),
    ],
    ids=["whole", "one token", "unknown tokens", "left", "broken"],
)
def test_answers_that_are_no_complete_stream_have_no_time_per_token(
    changes: dict[str, Any], first_content_s: float | None, times: tuple[int, int]
) -> None:
    assert observed(replace(RECORD, **changes), first_content_s)[:2] == times


@pytest.mark.parametrize(
    ("code", "has_target", "expected"),
    [
        ("invalid_api_key", False, True),
        ("model_not_found", False, True),
        ("invalid_value", False, True),
        ("invalid_value", True, False),
        ("overloaded", True, True),
        ("model_loading", True, True),
        ("maintenance", False, True),
        ("backend_error", True, False),
        ("timeout", True, False),
        ("internal_error", False, False),
    ],
)
def test_refusals_are_the_gateways_own(code: str, has_target: bool, expected: bool) -> None:
    record = replace(RECORD, error_code=code, **({} if has_target else NOWHERE))
    assert is_refusal(record) is expected


async def test_metrics_exist_for_listed_addresses_only(tmp_path: Path) -> None:
    telemetry = Telemetry(tmp_path)
    reply = await describe_metrics("10.0.0.1", ["10.0.0.1"], telemetry)
    assert reply.status == 200
    assert b"# TYPE gateway_requests_total counter" in reply.body
    with pytest.raises(NotFound):
        await describe_metrics("10.0.0.2", ["10.0.0.1"], telemetry)
    await telemetry.aclose()


async def test_scrape_that_cannot_speak_for_all_workers_is_refused(tmp_path: Path) -> None:
    telemetry = Telemetry(tmp_path)
    await describe_metrics("::1", ["::1"], telemetry)
    (tmp_path / "x.lock").mkdir()  # no process's: whether it lives cannot be told
    with pytest.raises(Overloaded):
        await describe_metrics("::1", ["::1"], telemetry)
    await telemetry.aclose()
