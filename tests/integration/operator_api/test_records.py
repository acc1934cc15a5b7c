"""The request log and the audit: filtered, newest first, page by page without a count."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from resource_server.models import AuditEvent
from tests.integration.operator_api.clients import Api
from tests.integration.operator_api.logs import DAY, build_log
from tests.personas import ALICE

MANY = 1234


def walk(api: Api, path: str) -> list[list[Any]]:
    """The pages from the newest to the oldest."""
    pages = []
    address = path
    while address:
        document = api.get(address).json()
        pages.append(document["results"])
        address = (document["next"] or "").partition("/operator/")[2]
    return pages


def test_pages_hold_every_record_once_newest_first(operator: Api) -> None:
    build_log(MANY)
    pages = walk(operator, "request-logs/?page_size=500")
    assert [len(page) for page in pages] == [500, 500, 234]
    found = [row["request_id"] for page in pages for row in page]
    assert found == [f"req-{number}" for number in range(MANY, 0, -1)]


def test_records_that_come_in_meanwhile_move_no_page(operator: Api) -> None:
    build_log(10)
    first = operator.get("request-logs/?page_size=5").json()
    build_log(5)
    second = operator.get(first["next"].partition("/operator/")[2]).json()
    found = [row["request_id"] for row in first["results"] + second["results"]]
    assert found == [f"req-{number}" for number in range(10, 0, -1)]
    assert second["previous"] is not None


def test_records_of_one_moment_are_all_shown(operator: Api) -> None:
    build_log(30, received_at=DAY)
    found = [row["request_id"] for page in walk(operator, "request-logs/?page_size=7") for row in page]
    assert sorted(found) == sorted(f"req-{number}" for number in range(1, 31))


def test_no_list_of_records_is_counted(operator: Api) -> None:
    build_log(3)
    for path in ("request-logs/", "audit/", "usage/"):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert "count" not in operator.get(path).json()
        asked = [query["sql"] for query in queries if "FROM" in query["sql"]]
        assert not any(sql.startswith("SELECT COUNT(") for sql in asked)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"username": ALICE.username}, {2, 4, 6}),
        ({"sub": ALICE.id, "model": "m1"}, {4}),
        ({"received_from": (DAY + timedelta(minutes=5)).isoformat()}, {5, 6, 7}),
        ({"received_before": "2026-03-01T00:03:00Z"}, {1, 2}),
        ({"received_before": "2026-03-01T00:03:00"}, {1, 2}),
        ({"status_from": 500}, {7}),
        ({"status": 503, "error_code": "model_offline"}, {7}),
        ({"cancelled": "true"}, set()),
        ({"operation": "embeddings"}, set()),
    ],
)
def test_log_is_filtered(operator: Api, parameters: dict[str, Any], expected: set[int]) -> None:
    build_log(6)
    build_log(1, status=503, error_code="model_offline")
    found = operator.get("request-logs/", **parameters).json()["results"]
    assert {int(row["request_id"].removeprefix("req-")) for row in found} == expected


@pytest.mark.parametrize(
    ("parameters", "param"),
    [({"received_from": "yesterday"}, "received_from"), ({"status": "x"}, "status"), ({"prompt": "x"}, "prompt")],
)
def test_filter_that_cannot_be_read_is_refused(operator: Api, parameters: dict[str, str], param: str) -> None:
    response = operator.get("request-logs/", **parameters)
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)


def test_one_record_has_its_request_id_as_its_address(operator: Api) -> None:
    build_log()
    row = operator.get("request-logs/req-1/").json()
    assert (row["total_tokens"], "id" in row) == (15, False)


def test_audit_is_filtered_by_door_object_and_time(operator: Api) -> None:
    operator.create("clusters/", {"name": "polaris"})
    operator.create("clusters/", {"name": "sophia"})
    source = AuditEvent.Source.COMMAND
    AuditEvent.objects.create(actor_name="cron", source=source, action="create", object_type="cluster", object_key="x")
    assert len(operator.get("audit/", source="operator_api").json()["results"]) == 2
    [event] = operator.get("audit/", object_key="sophia").json()["results"]
    assert (event["actor_name"], event["action"], event["object_type"]) == ("operator", "create", "cluster")
    assert operator.get("audit/", at_before="2020-01-01T00:00:00Z").json()["results"] == []
    assert [row["actor_name"] for row in operator.get("audit/").json()["results"]] == ["cron", "operator", "operator"]
