"""`manage.py maintenance`, and windows wherever they are entered."""

import json
import time
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client

from resource_server.models import Cluster, FederatedEndpoint, User
from resource_server.models.catalogue import read_clusters

pytestmark = pytest.mark.django_db

FROM, UNTIL = "2099-01-01T08:00+01:00", "2099-01-02"
TARGET = {"backend": "simulated", "cluster": "served", "framework": "vllm", "model": "m"}


@pytest.fixture(autouse=True)
def catalogue() -> None:
    Cluster.objects.create(name="polaris")
    FederatedEndpoint.objects.create(name="m", target_model_name="m", targets=[TARGET])


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    call_command("maintenance", *arguments)
    return capsys.readouterr().out


def is_in_maintenance(name: str, now: float | None = None) -> bool:
    row = {cluster.name: cluster for cluster in read_clusters()}[name]
    return row.is_in_maintenance(time.time() if now is None else now)


def test_without_times_it_lasts_from_now_until_it_is_ended(capsys: pytest.CaptureFixture[str]) -> None:
    assert "polaris is in maintenance from now until it is ended" in run(capsys, "polaris", "--notice", "Racks.")
    assert is_in_maintenance("polaris")
    assert Cluster.objects.get().maintenance_notice == "Racks."
    assert "polaris is in service" in run(capsys, "polaris", "--end")
    assert not is_in_maintenance("polaris")
    assert Cluster.objects.get().maintenance_notice == ""


def test_window_begins_and_ends_by_itself_and_times_without_a_zone_are_utc(capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, "polaris", "--from", FROM, "--until", UNTIL)
    assert "from 2099-01-01T07:00+00:00 until 2099-01-02T00:00+00:00" in said
    assert not is_in_maintenance("polaris")
    row = Cluster.objects.get()
    assert row.maintenance_from is not None
    assert is_in_maintenance("polaris", row.maintenance_from.timestamp())
    run(capsys, "polaris", "--end")
    assert not is_in_maintenance("polaris", row.maintenance_from.timestamp())


def test_cluster_that_only_targets_name_gets_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "served", "--until", UNTIL)
    assert is_in_maintenance("served")


def test_notice_stays_while_its_maintenance_does(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "polaris", "--notice", "Racks.")
    run(capsys, "polaris", "--until", UNTIL)
    assert Cluster.objects.get().maintenance_notice == "Racks."
    Cluster.objects.update(maintenance_until="2020-01-01T00:00Z")
    run(capsys, "polaris")
    assert Cluster.objects.get().maintenance_notice == ""


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nowhere"], "no cluster 'nowhere'. Known are: polaris, served."),
        (["polaris", "--from", "tomorrow"], "--from: 'tomorrow' is no time such as"),
        (["polaris", "--from", UNTIL, "--until", FROM], "--until: must be after from"),
        (["polaris", "--until", "2020-01-01"], "--until: 2020-01-01T00:00+00:00 is past"),
        (["polaris", "--end", "--notice", ""], "--end stands alone"),
    ],
)
def test_mistakes_change_nothing_and_say_what_is_wrong(arguments: list[str], complaint: str) -> None:
    before = read_clusters()
    with pytest.raises(CommandError) as caught:
        call_command("maintenance", *arguments)
    assert complaint in str(caught.value)
    assert read_clusters() == before


def test_window_that_ends_before_it_begins_is_refused_in_fixtures_and_forms(tmp_path: Path) -> None:
    fields = {"name": "x", "maintenance_from": "2099-01-02T00:00", "maintenance_until": "2099-01-01T00:00Z"}
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([{"model": "resource_server.cluster", "pk": 9, "fields": fields}]))
    with pytest.raises(ValidationError, match="maintenance_until: is not after maintenance_from"):
        call_command("loaddata", str(path), verbosity=0)
    staff = Client()
    staff.force_login(User.objects.create_superuser("operator", "operator@example.org", "x"))
    response = staff.post("/resource_server/operator/clusters/", fields, content_type="application/json")
    assert response.status_code == 400
    assert "is not after" in json.dumps(response.json())


def test_admin_shows_whether_the_window_is_in_effect_and_takes_one() -> None:
    Cluster.objects.update(maintenance=True)
    staff = Client()
    staff.force_login(User.objects.create_superuser("operator", "operator@example.org", "x"))
    url = "/resource_server/admin/resource_server/cluster/"
    assert 'alt="True"' in staff.get(url).content.decode()
    form = {"name": "new", "allowed_globus_groups": "[]", "allowed_domains": "[]", "maintenance_notice": "Racks."}
    window = {"maintenance_from_0": "2099-01-01", "maintenance_from_1": "08:00"}
    assert staff.post(f"{url}add/", {**form, **window}).status_code == 302
    row = Cluster.objects.get(name="new")
    assert row.maintenance_from is not None
    assert row.maintenance_from.isoformat() == "2099-01-01T08:00:00+00:00"
