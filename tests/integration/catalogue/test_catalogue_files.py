"""``manage.py catalogue``: what a plan says is what apply does, and the audit remembers it."""

import io
from pathlib import Path

import pytest
from django.core.management import call_command

from resource_server.models import AuditEvent, Cluster, Endpoint, FederatedEndpoint
from resource_server.models.catalogue import fingerprint
from tests.integration.catalogue.files import EXAMPLE, ROOT, SMALL, catalogue, federated, write

pytestmark = pytest.mark.django_db

CHANGED = """\
clusters:
  - name: polaris
    description: New disks
  - name: aurora
endpoints:
  - {cluster: polaris, framework: vllm, model: m, api_port: 8001}
federated_endpoints:
  - target_model_name: m
    targets:
      - {cluster: sophia, framework: vllm, model: m, backend: simulated}
      - {cluster: polaris, framework: vllm, model: m, backend: simulated, idle_stop_s: 5}
"""
"""`SMALL`, with a change in each of its rows."""


def test_example_is_planned_applied_and_then_holds() -> None:
    plan = catalogue("plan", EXAMPLE)
    assert plan.status == 2
    assert "4 to create, 0 to update, 0 to delete." in plan.text
    assert not Cluster.objects.exists()
    assert catalogue("apply", EXAMPLE, "--yes", "--expect", plan.fingerprint).status == 0
    assert FederatedEndpoint.objects.get().targets[1]["cluster"] == "sophia"
    again = catalogue("plan", EXAMPLE)
    assert (again.status, "No changes" in again.text) == (0, True)
    assert catalogue("apply", EXAMPLE).status == 0  # nothing to ask about


@pytest.mark.parametrize("fixture", ["endpoints", "federated_endpoints", "clusters", "demo"])
def test_export_of_a_shipped_fixture_plans_no_change_here_and_the_same_rows_elsewhere(
    tmp_path: Path, fixture: str
) -> None:
    call_command("loaddata", str(ROOT / "fixtures" / f"{fixture}.json"), verbosity=0)
    exported = catalogue("export").text
    path = write(tmp_path, exported)
    assert catalogue("plan", path, "--prune").status == 0
    for model in (Cluster, Endpoint, FederatedEndpoint):
        model.objects.all().delete()
    assert catalogue("apply", path, "--yes").status == 0
    assert catalogue("export").text == exported


def test_export_leaves_maintenance_to_those_who_ask_for_it(tmp_path: Path) -> None:
    Cluster.objects.create(name="polaris")
    call_command("maintenance", "polaris", "--until", "2099-01-02")
    assert "maintenance_until" not in catalogue("export").text
    path = write(tmp_path, catalogue("export", "--with-maintenance").text)
    assert "maintenance_until: '2099-01-02T00:00:00+00:00'" in path.read_text()
    assert catalogue("plan", path).status == 0


def test_values_that_yaml_reads_in_its_own_way_survive_the_round_trip(tmp_path: Path) -> None:
    for name in ("1.10", "0123", "1e3", "no", "2026-01-01"):
        Cluster.objects.create(name=name, description="no: 12:30\n# 日本語 \t'\"")
    path = write(tmp_path, catalogue("export").text)
    assert catalogue("plan", path, "--prune").status == 0


def test_plan_names_each_field_of_each_row(tmp_path: Path) -> None:
    catalogue("apply", write(tmp_path, SMALL), "--yes")
    text = catalogue("plan", write(tmp_path, CHANGED)).text
    assert 'update clusters/polaris\n  ~ description: "" -> "New disks"\n' in text
    assert 'create clusters/aurora\n  + name: "aurora"\n' in text
    assert "update endpoints/polaris/vllm/m\n  ~ api_port: 8000 -> 8001\n" in text
    assert "  + targets[sophia/vllm/m]: {" in text
    assert "  ~ targets[polaris/vllm/m].idle_stop_s: null -> 5\n" in text
    assert "1 to create, 3 to update, 0 to delete." in text


def test_order_of_targets_is_a_change(tmp_path: Path) -> None:
    one, other = (f"      - {{cluster: {name}, framework: f, model: m, backend: simulated}}\n" for name in "ab")
    head = "federated_endpoints:\n  - name: M\n    target_model_name: m\n    targets:\n"
    catalogue("apply", write(tmp_path, head + one + other), "--yes")
    text = catalogue("plan", write(tmp_path, head + other + one)).text
    assert "  ~ targets, in the order: b/f/m, a/f/m\n" in text


def test_what_the_file_does_not_name_stays_unless_it_is_pruned(tmp_path: Path) -> None:
    catalogue("apply", write(tmp_path, SMALL), "--yes")
    Cluster.objects.create(name="aurora")
    Cluster.objects.filter(name="polaris").update(maintenance=True, description="Kept")
    clusters = write(tmp_path, "clusters:\n  - name: polaris\n")
    plan = catalogue("plan", clusters)
    assert (plan.status, "left as they are (3): clusters/aurora, endpoints/" in plan.text) == (0, True)
    assert "delete clusters/aurora" in catalogue("plan", clusters, "--prune").text
    assert catalogue("apply", clusters, "--prune", "--yes").status == 0
    row = Cluster.objects.get()
    assert (row.name, row.maintenance, row.description) == ("polaris", True, "Kept")
    assert Endpoint.objects.exists()  # the file has no such section
    assert catalogue("apply", write(tmp_path, "endpoints: []"), "--prune", "--yes").status == 0
    assert not Endpoint.objects.exists()


def test_slug_that_a_pruned_row_had_is_free(tmp_path: Path) -> None:
    catalogue("apply", write(tmp_path, SMALL), "--yes")
    path = write(tmp_path, SMALL.replace("target_model_name: m", "target_model_name: n"))
    assert "'m' is the slug of federated_endpoints/m as well" in catalogue("plan", path).text
    assert catalogue("apply", path, "--prune", "--yes").status == 0
    assert FederatedEndpoint.objects.get().target_model_name == "n"


def test_apply_refuses_where_the_catalogue_has_moved_since_the_plan(tmp_path: Path) -> None:
    path = write(tmp_path, SMALL)
    expected = catalogue("plan", path).fingerprint
    Cluster.objects.create(name="aurora")
    before = fingerprint()
    outcome = catalogue("apply", path, "--yes", "--expect", expected)
    assert (outcome.status, "has changed since" in outcome.text) == (1, True)
    assert fingerprint() == before


@pytest.mark.parametrize(("answer", "status"), [("yes\n", 0), ("no\n", 1), ("\n", 1), ("", 1)])
def test_apply_asks_and_takes_only_yes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, status: int
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    outcome = catalogue("apply", write(tmp_path, SMALL))
    assert outcome.status == status
    assert ("give --yes" in outcome.text) == (answer == "")
    assert Cluster.objects.exists() == (status == 0)


def test_each_change_is_in_the_audit_once(tmp_path: Path) -> None:
    path = write(tmp_path, SMALL)
    catalogue("apply", path, "--yes")
    catalogue("apply", write(tmp_path, SMALL.replace("model: m, b", "api_port: 8001, model: m, b", 1)), "--yes")
    catalogue("apply", write(tmp_path, "federated_endpoints: []"), "--yes", "--prune")
    events = AuditEvent.objects.order_by("id")
    assert [(event.source, event.action, event.object_type) for event in events] == [
        ("catalogue", "create", "cluster"),
        ("catalogue", "create", "endpoint"),
        ("catalogue", "create", "federatedendpoint"),
        ("catalogue", "update", "endpoint"),
        ("catalogue", "delete", "federatedendpoint"),
    ]
    assert events[3].changes == {"api_port": [8000, 8001]}
    assert all(event.actor_name for event in events)


def test_failure_in_the_middle_leaves_nothing_behind(tmp_path: Path) -> None:
    head = "federated_endpoints:\n"
    rows = federated("a", "m", "x") + federated("b", "n", "y")
    assert catalogue("apply", write(tmp_path, head + rows), "--yes").status == 0
    before, events = fingerprint(), AuditEvent.objects.count()
    swapped = head + federated("c", "o", "z") + federated("a", "m", "y") + federated("b", "n", "x")
    outcome = catalogue("apply", write(tmp_path, swapped), "--yes")
    assert (outcome.status, "federated_endpoints/m: " in outcome.text) == (1, True)
    assert (fingerprint(), AuditEvent.objects.count()) == (before, events)
