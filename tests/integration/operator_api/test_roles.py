"""By route, method and role: the outcome. A route that the table does not have fails, and one that is gone, too."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.urls import URLPattern

from resource_server.models import AuditEvent, Cluster, Endpoint, FederatedEndpoint
from resource_server.operator_api.urls import urlpatterns
from tests.integration.operator_api.clients import ENDPOINT, FEDERATED, TARGET, Api
from tests.integration.operator_api.logs import build_log

ROLES = ("anonymous", "nobody", "viewer", "operator", "admin")
READ = (401, 403, 200, 200, 200)
CREATE = (401, 403, 403, 201, 201)
CHANGE = (401, 403, 403, 200, 200)
DELETE = (401, 403, 403, 204, 204)
NOWHERE = (401, 403, 404, 404, 404)
WINDOW = {"cluster": "planned", "until": "2099-01-01T00:00:00Z"}

TABLE: dict[tuple[str, str], tuple[str, Any, tuple[int, ...]]] = {
    ("operator-root", "GET"): ("", None, READ),
    ("operator-nowhere", "GET"): ("nowhere/", None, NOWHERE),
    ("usage", "GET"): ("usage/", None, READ),
    ("cluster-list", "GET"): ("clusters/", None, READ),
    ("cluster-list", "POST"): ("clusters/", {"name": "new"}, CREATE),
    ("cluster-detail", "GET"): ("clusters/{cluster}/", None, READ),
    ("cluster-detail", "PUT"): ("clusters/{cluster}/", {"name": "polaris"}, CHANGE),
    ("cluster-detail", "PATCH"): ("clusters/{cluster}/", {"description": "x"}, CHANGE),
    ("cluster-detail", "DELETE"): ("clusters/{cluster}/", None, DELETE),
    ("endpoint-list", "GET"): ("endpoints/", None, READ),
    ("endpoint-list", "POST"): ("endpoints/", {**ENDPOINT, "model": "n"}, CREATE),
    ("endpoint-detail", "GET"): ("endpoints/{endpoint}/", None, READ),
    ("endpoint-detail", "PUT"): ("endpoints/{endpoint}/", ENDPOINT, CHANGE),
    ("endpoint-detail", "PATCH"): ("endpoints/{endpoint}/", {"api_port": 8001}, CHANGE),
    ("endpoint-detail", "DELETE"): ("endpoints/{endpoint}/", None, DELETE),
    ("federatedendpoint-list", "GET"): ("federated-endpoints/", None, READ),
    ("federatedendpoint-list", "POST"): (
        "federated-endpoints/",
        {"name": "N", "target_model_name": "n", "targets": [TARGET]},
        CREATE,
    ),
    ("federatedendpoint-detail", "GET"): ("federated-endpoints/{federatedendpoint}/", None, READ),
    ("federatedendpoint-detail", "PUT"): ("federated-endpoints/{federatedendpoint}/", FEDERATED, CHANGE),
    ("federatedendpoint-detail", "PATCH"): ("federated-endpoints/{federatedendpoint}/", {"name": "x"}, CHANGE),
    ("federatedendpoint-detail", "DELETE"): ("federated-endpoints/{federatedendpoint}/", None, DELETE),
    ("maintenance-window-list", "GET"): ("maintenance-windows/", None, READ),
    ("maintenance-window-list", "POST"): ("maintenance-windows/", {**WINDOW, "cluster": "polaris"}, CREATE),
    ("maintenance-window-detail", "GET"): ("maintenance-windows/planned/", None, READ),
    ("maintenance-window-detail", "PUT"): ("maintenance-windows/planned/", {"notice": "x"}, CHANGE),
    ("maintenance-window-detail", "DELETE"): ("maintenance-windows/planned/", None, DELETE),
    ("requestlog-list", "GET"): ("request-logs/", None, READ),
    ("requestlog-detail", "GET"): ("request-logs/req-1/", None, READ),
    ("auditevent-list", "GET"): ("audit/", None, READ),
    ("auditevent-detail", "GET"): ("audit/{auditevent}/", None, READ),
}


def list_routes() -> Iterator[tuple[str, str]]:
    for pattern in urlpatterns:
        assert isinstance(pattern, URLPattern)
        callback: Any = pattern.callback
        methods = callback.actions if hasattr(callback, "actions") else callback.view_class().allowed_methods
        named = {method.upper() for method in methods} - {"HEAD", "OPTIONS"}
        yield from ((str(pattern.name), method) for method in named or {"GET"})  # "nowhere" answers any the same


@pytest.fixture
def rows(people: dict[str, Api]) -> dict[str, int]:
    """A row of each table, by name."""
    build_log()
    admin = people["admin"]
    made = {
        "cluster": admin.create("clusters/", {"name": "polaris"}),
        "endpoint": admin.create("endpoints/", ENDPOINT),
        "federatedendpoint": admin.create("federated-endpoints/", FEDERATED),
    }
    Cluster.objects.create(name="planned", maintenance=True, maintenance_until=WINDOW["until"])
    return {**{name: row["id"] for name, row in made.items()}, "auditevent": AuditEvent.objects.order_by("id")[0].pk}


def test_table_has_every_route_and_method_and_no_other() -> None:
    assert sorted(list_routes()) == sorted(TABLE)


@pytest.mark.parametrize(("route", "method"), TABLE, ids="-".join)
def test_role_decides(people: dict[str, Api], rows: dict[str, int], route: str, method: str) -> None:
    address, body, outcomes = TABLE[route, method]
    path = address.format(**rows)
    version = people["admin"].get(path).json()["version"] if method in {"PUT", "PATCH", "DELETE"} else None
    seen = {}
    for role in ROLES:
        with transaction.atomic():  # so that each finds what the others found
            response = people[role].send(method, path, body, version=version)
            transaction.set_rollback(True)
        seen[role] = response.status_code
        if response.status_code >= 400:
            assert set(response.json()["error"]) == {"message", "type", "param", "code"}
    assert seen == dict(zip(ROLES, outcomes, strict=True))


@pytest.mark.parametrize("role", ["anonymous", "nobody"])
@pytest.mark.parametrize("path", ["clusters/{}/", "audit/{}/", "request-logs/{}/", "maintenance-windows/{}/"])
def test_who_may_not_know_cannot_tell_what_exists_from_what_does_not(
    people: dict[str, Api], rows: dict[str, int], role: str, path: str
) -> None:
    existing = {"clusters": rows["cluster"], "audit": rows["auditevent"], "request-logs": "req-1"}
    known = existing.get(path.partition("/")[0], "planned")
    answers = [people[role].get(path.format(key)) for key in (known, 999999)]
    assert answers[0].status_code == answers[1].status_code
    assert answers[0].content == answers[1].content


def test_refused_changes_change_nothing(people: dict[str, Api], rows: dict[str, int]) -> None:
    events = AuditEvent.objects.count()
    version = people["admin"].get(f"endpoints/{rows['endpoint']}/").json()["version"]
    for role in ("anonymous", "nobody", "viewer"):
        people[role].send("POST", "clusters/", {"name": "new"})
        people[role].send("PATCH", f"endpoints/{rows['endpoint']}/", {"api_port": 1}, version=version)
        people[role].send("DELETE", f"federated-endpoints/{rows['federatedendpoint']}/", version=version)
    assert set(Cluster.objects.values_list("name", flat=True)) == {"polaris", "planned"}
    assert Endpoint.objects.get().api_port == 8000
    assert FederatedEndpoint.objects.exists()
    assert AuditEvent.objects.count() == events
