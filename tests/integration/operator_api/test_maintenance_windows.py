"""Maintenance windows as things of their own."""

from typing import Any

import pytest

from resource_server.models import AuditEvent, Cluster, FederatedEndpoint
from tests.integration.operator_api.clients import TARGET, Api

LATER = {"from": "2099-01-01T08:00:00+01:00", "until": "2099-01-02T00:00:00Z"}


@pytest.fixture(autouse=True)
def clusters(operator: Api) -> None:
    Cluster.objects.create(name="polaris", description="Kept")
    Cluster.objects.create(name="past", maintenance_from="2020-01-01T00:00Z", maintenance_until="2020-01-02T00:00Z")


def test_window_is_planned_changed_and_ended(operator: Api) -> None:
    planned = operator.create("maintenance-windows/", {"cluster": "polaris", **LATER, "notice": "Racks."})
    assert (planned["in_effect"], planned["from"]) == (False, "2099-01-01T07:00:00Z")
    [listed] = operator.get("maintenance-windows/").json()["results"]
    assert listed == planned == operator.get("maintenance-windows/polaris/").json()
    until = {"until": LATER["until"]}
    changed = operator.send("PUT", "maintenance-windows/polaris/", until, version=planned["version"]).json()
    assert (changed["in_effect"], changed["from"], changed["notice"]) == (True, None, "Racks.")
    assert operator.send("DELETE", "maintenance-windows/polaris", version=changed["version"]).status_code == 204
    assert operator.get("maintenance-windows/polaris/").status_code == 404
    row = Cluster.objects.get(name="polaris")
    assert (row.maintenance, row.maintenance_notice, row.description) == (False, "", "Kept")
    assert [event.action for event in AuditEvent.objects.order_by("id")] == ["update"] * 3


def test_cluster_that_only_targets_name_gets_a_row(operator: Api) -> None:
    FederatedEndpoint.objects.create(name="M", target_model_name="m", targets=[{**TARGET, "cluster": "served"}])
    assert operator.create("maintenance-windows/", {"cluster": "served"})["in_effect"] is True
    assert Cluster.objects.get(name="served").maintenance
    assert AuditEvent.objects.get().action == "create"


def test_stale_window_is_not_changed(operator: Api) -> None:
    planned = operator.create("maintenance-windows/", {"cluster": "polaris"})
    Cluster.objects.filter(name="polaris").update(maintenance_notice="By somebody else")
    for method in ("PUT", "DELETE"):
        response = operator.send(method, "maintenance-windows/polaris/", {}, version=planned["version"])
        assert response.status_code == 412
        assert response.json()["current"]["notice"] == "By somebody else"
        assert operator.send(method, "maintenance-windows/polaris/", {}).status_code == 428


@pytest.mark.parametrize(
    ("body", "param", "complaint"),
    [
        ({}, "cluster", "cluster: is missing"),
        ({"cluster": "nowhere"}, "cluster", "no cluster 'nowhere'. Known are: past, polaris."),
        ({"cluster": "polaris", "until": "2020-01-01T00:00:00Z"}, "until", "2020-01-01T00:00+00:00 is past"),
        ({"cluster": "polaris", "from": LATER["until"], "until": LATER["from"]}, "until", "must be after from"),
        ({"cluster": "polaris", "from": "tomorrow"}, "from", "from: "),
        ({"cluster": "polaris", "untill": None}, "untill", "untill: is no field here, use from, until, notice"),
        ({"cluster": "polaris", "notice": "a\0"}, None, "NUL"),
    ],
)
def test_mistake_plans_nothing(operator: Api, body: dict[str, Any], param: str | None, complaint: str) -> None:
    response = operator.send("POST", "maintenance-windows/", body)
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
    assert complaint in response.json()["error"]["message"]
    assert operator.get("maintenance-windows/").json()["results"] == []


def test_second_window_of_a_cluster_is_refused(operator: Api) -> None:
    operator.create("maintenance-windows/", {"cluster": "polaris"})
    response = operator.send("POST", "maintenance-windows/", {"cluster": "polaris", **LATER})
    assert "has a window already" in response.json()["error"]["message"]
