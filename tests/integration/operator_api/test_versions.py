"""Optimistic locking: whoever changes a row says which version they have seen, and hears what changed since."""

import pytest

from resource_server.models import AuditEvent, Cluster
from tests.integration.operator_api.clients import Api

METHODS = ["PUT", "PATCH", "DELETE"]


@pytest.fixture
def path(operator: Api) -> str:
    return f"clusters/{operator.create('clusters/', {'name': 'polaris'})['id']}/"


def test_version_is_the_etag_and_changes_with_the_row(operator: Api, path: str) -> None:
    first = operator.get(path)
    assert first.headers["etag"] == f'"{first.json()["version"]}"'
    second = operator.send("PATCH", path, {"description": "x"}, version=first.json()["version"])
    assert second.headers["etag"] == f'"{second.json()["version"]}"'
    assert first.json()["version"] != second.json()["version"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("header", ["", "*", "abc", '"a", "b"', 'W/"abc"'])
def test_change_that_names_no_version_is_refused(operator: Api, path: str, method: str, header: str) -> None:
    headers = {"If-Match": header} if header else {}
    response = operator.send(method, path, {"name": "x"}, **headers)
    assert (response.status_code, response.json()["error"]["code"]) == (428, "version_required")
    assert Cluster.objects.get().name == "polaris"


@pytest.mark.parametrize("method", METHODS)
def test_stale_version_is_refused_and_told_what_changed_by_whom(operator: Api, path: str, method: str) -> None:
    seen = operator.get(path).json()["version"]
    between = operator.send("PATCH", path, {"description": "x"}, version=seen).json()["version"]
    current = operator.send("PATCH", path, {"maintenance": True, "description": "y"}, version=between).json()
    events = AuditEvent.objects.count()
    response = operator.send(method, path, {"name": "z"}, version=seen)
    assert response.status_code == 412
    document = response.json()
    assert document["error"]["code"] == "version_conflict"
    assert "since you read it: description, maintenance." in document["error"]["message"]
    assert document["current"] == current
    assert response.headers["etag"] == f'"{current["version"]}"'
    assert [change["changes"] for change in document["changes"]] == [
        {"description": ["", "x"]},
        {"description": ["x", "y"], "maintenance": [False, True]},
    ]
    assert {change["actor_name"] for change in document["changes"]} == {"operator"}
    assert AuditEvent.objects.count() == events
    later = operator.send(method, path, {"name": "z"}, version=between).json()
    assert len(later["changes"]) == 1


def test_change_past_the_audit_is_refused_without_a_story(operator: Api, path: str) -> None:
    seen = operator.get(path).json()["version"]
    Cluster.objects.update(description="by SQL")
    document = operator.send("PATCH", path, {"name": "z"}, version=seen).json()
    assert (document["changes"], document["current"]["description"]) == ([], "by SQL")
    assert "if it ever was that" in document["error"]["message"]


def test_row_that_went_meanwhile_is_gone(operator: Api, path: str) -> None:
    seen = operator.get(path).json()["version"]
    assert operator.send("DELETE", path, version=seen).status_code == 204
    assert operator.send("PATCH", path, {"name": "z"}, version=seen).status_code == 404


def test_mistake_in_a_change_leaves_the_row_and_the_audit(operator: Api, path: str) -> None:
    seen = operator.get(path).json()["version"]
    assert operator.send("PATCH", path, {"name": "v1"}, version=seen).status_code == 400
    assert operator.get(path).json()["version"] == seen
    assert AuditEvent.objects.count() == 1
