"""Sums of requests and tokens, within bounds of time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.operator_api.clients import Api
from tests.integration.operator_api.logs import DAY, build_log
from tests.personas import ALICE, BOB

MARCH = {"from": "2026-03-01T00:00:00Z", "before": "2026-04-01T00:00:00Z"}


def ask(api: Api, **parameters: Any) -> dict[str, Any]:
    response = api.get("usage/", **{**MARCH, **parameters})
    assert response.status_code == 200, response.content
    document: dict[str, Any] = response.json()
    return document


@pytest.fixture
def log(operator: Api) -> Api:
    """Six requests on one day, two on the next, one of them refused; one in another month."""
    build_log(6)
    build_log(1, received_at=DAY + timedelta(days=1))
    nothing = dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"))
    build_log(1, received_at=DAY + timedelta(days=1, hours=23, minutes=59), status=429, cluster="", **nothing)
    build_log(1, received_at=DAY + timedelta(days=40))
    return operator


def test_days_come_newest_first_and_count_what_failed(log: Api) -> None:
    second, first = ask(log)["results"]
    tokens = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    assert second == {"day": "2026-03-02", "requests": 2, "failed": 1, **tokens}
    assert first == {
        "day": "2026-03-01",
        "requests": 6,
        "failed": 0,
        **{name: 6 * count for name, count in tokens.items()},
    }


def test_groups_are_combined_and_users_have_names(log: Api) -> None:
    rows = ask(log, by="user,cluster")["results"]
    found = {(row["username"], row["cluster"]): (row["sub"], row["requests"], row["total_tokens"]) for row in rows}
    assert found == {
        (BOB.username, "polaris"): (BOB.id, 4, 60),
        (ALICE.username, "polaris"): (ALICE.id, 3, 45),
        (ALICE.username, ""): (ALICE.id, 1, 0),
    }
    assert [row["total_tokens"] for row in rows] == [60, 45, 0]


def test_without_groups_everything_is_one_sum(log: Api) -> None:
    [row] = ask(log, by="")["results"]
    assert (row["requests"], row["total_tokens"]) == (8, 105)


@pytest.mark.parametrize(
    ("parameters", "requests"),
    [
        ({"model": "m1"}, 3),
        ({"sub": ALICE.id}, 4),
        ({"cluster": "nowhere"}, 0),
        ({"before": "2026-03-02T00:00:00Z"}, 6),
    ],
)
def test_filters_and_bounds_hold(log: Api, parameters: dict[str, str], requests: int) -> None:
    assert sum(row["requests"] for row in ask(log, **parameters)["results"]) == requests


def test_pages_go_on_where_the_last_ended(log: Api) -> None:
    first = ask(log, by="model", page_size=2)
    assert len(first["results"]) == 2
    second = log.get(first["next"].partition("/operator/")[2]).json()
    assert (len(second["results"]), second["next"]) == (1, None)
    assert {row["model"] for row in first["results"] + second["results"]} == {"m0", "m1", "m2"}


def test_without_bounds_it_is_the_last_thirty_days(operator: Api) -> None:
    build_log(1, received_at=datetime.now(UTC) - timedelta(days=29))
    build_log(1, received_at=datetime.now(UTC) - timedelta(days=31))
    document = operator.get("usage/").json()
    assert [row["requests"] for row in document["results"]] == [1]
    asked = [datetime.fromisoformat(document[name]) for name in ("from", "before")]
    assert asked[1] - asked[0] == timedelta(days=30)


@pytest.mark.parametrize(
    ("parameters", "param"),
    [
        ({"by": "day,prompt"}, "by"),
        ({"from": "2026-05-01T00:00:00Z"}, "before"),
        ({"from": "2020-01-01T00:00:00Z"}, "from"),
        ({"from": "soon"}, "from"),
        ({"page_size": 501}, "page_size"),
        ({"users": "x"}, "users"),
    ],
)
def test_report_that_cannot_be_made_is_refused(operator: Api, parameters: dict[str, Any], param: str) -> None:
    response = operator.get("usage/", **{**MARCH, **parameters})
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
