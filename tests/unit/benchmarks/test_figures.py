import pytest

from benchmarks.figures import BARE, GATEWAY, Verdict, judge_http, judge_tasks


@pytest.mark.parametrize(
    ("value", "at_least", "text"),
    [
        (100.0, False, "within"),
        (112.0, False, "over by 12%"),
        (100.0, True, "within"),
        (75.0, True, "short by 25%"),
        (float("nan"), False, "not measured"),
        (None, False, "not measured"),
    ],
)
def test_verdict_describes_value_beside_bound(value: float | None, at_least: bool, text: str) -> None:
    assert Verdict("x", value, 100, "ms", at_least=at_least).describe() == text


def test_judge_http_compares_with_the_bare_view_of_the_same_run() -> None:
    gateway = {"cpu_us_per_request": 600.0, "cpu_us_per_event": 60.0, "streams_complete": 500.0, "streams_equal": 499.0}
    bare = {"cpu_us_per_request": 400.0, "cpu_us_per_event": 50.0}

    found = {each.name: each.is_within for each in judge_http({GATEWAY: gateway, BARE: bare})}

    assert found["governed request, CPU at 64"] is True
    assert found["governed request / bare Ninja + aiohttp view"] is False
    assert found["SSE event / bare Ninja + aiohttp view"] is True
    assert found["500 streams, complete"] is True
    assert found["500 streams, byte-equal"] is False
    assert found["RSS of a worker, idle"] is None


def test_judge_tasks_without_a_run_measured_nothing() -> None:
    assert {each.is_within for each in judge_tasks({})} == {None}
