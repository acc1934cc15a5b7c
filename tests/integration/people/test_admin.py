"""Changes in the admin pages: each is written down, none goes over what its editor has not seen."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from social_django.models import UserSocialAuth

from resource_server.models import AuditEvent, Cluster, Endpoint, FederatedEndpoint, RequestLog, User
from resource_server.services.audit import Action, Actor, Source, record_event
from tests.integration.people.pages import ADMIN, TARGET, address_of, make_editor, open_form, save

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor() -> Client:
    return make_editor()


def latest() -> AuditEvent:
    event = AuditEvent.objects.first()
    assert event is not None
    return event


def build_rows() -> list[tuple[Any, dict[str, str]]]:
    """Each aggregate with a change to it."""
    return [
        (Cluster.objects.create(name="polaris"), {"description": "new"}),
        (
            Endpoint.objects.create(cluster="polaris", framework="vllm", model="m", backend="simulated"),
            {"backend_settings": '{"output_tokens": 3}'},
        ),
        (
            FederatedEndpoint.objects.create(name="M", target_model_name="m", targets=[TARGET]),
            {"description": "new"},
        ),
    ]


def test_each_change_and_deletion_is_recorded_with_its_editor(editor: Client) -> None:
    for row, change in build_rows():
        values = open_form(editor, address_of(row))
        assert save(editor, address_of(row), {**values, **change}).status_code == 302
        event = latest()
        assert (event.action, event.object_type, event.actor_name) == ("update", row._meta.model_name, "editor")
        assert set(change) <= set(event.changes)
        assert editor.post(address_of(row).replace("change", "delete"), {"post": "yes"}).status_code == 302
        assert (latest().action, latest().object_type) == ("delete", row._meta.model_name)
        assert latest().changes[next(iter(change))][1] is None


def test_rows_deleted_from_the_list_are_recorded_one_by_one(editor: Client) -> None:
    rows = [Cluster.objects.create(name=name) for name in ("a", "b")]
    sent = {"action": "delete_selected", "_selected_action": [str(row.pk) for row in rows], "post": "yes"}
    assert editor.post(f"{ADMIN}/resource_server/cluster/", sent).status_code == 302
    assert not Cluster.objects.exists()
    assert sorted(AuditEvent.objects.values_list("object_key", "action")) == [("a", "delete"), ("b", "delete")]


def test_maintenance_is_begun_and_ended_from_the_list(editor: Client) -> None:
    row = Cluster.objects.create(name="polaris", maintenance_notice="old")
    for action, is_on in (("begin_maintenance", True), ("end_maintenance", False)):
        sent = {"action": action, "_selected_action": [str(row.pk)]}
        assert editor.post(f"{ADMIN}/resource_server/cluster/", sent).status_code == 302
        row.refresh_from_db()
        assert row.maintenance is is_on
        assert latest().changes["maintenance"] == [not is_on, is_on]


def test_stale_page_saves_nothing_loses_nothing_and_says_what_changed(editor: Client) -> None:
    other = make_editor("other")
    for row, _ in build_rows():
        mine, theirs = open_form(editor, address_of(row)), open_form(other, address_of(row))
        field = "model" if isinstance(row, Endpoint) else "description"
        if isinstance(row, Cluster):
            theirs["allowed_domains"] = '["anl.gov"]'
            expected = "allowed_domains: [] is now [&#x27;anl.gov&#x27;]"
        else:
            theirs[field], expected = "theirs", f"{field}: "
        assert save(other, address_of(row), theirs).status_code == 302
        events = AuditEvent.objects.count()

        page = save(editor, address_of(row), {**mine, field: "mine"})

        assert page.status_code == 409
        text = page.content.decode()
        assert "Somebody has changed this row" in text
        assert expected in text
        assert ">mine</textarea>" in text.replace("\r\n", "").replace("\n", "") or 'value="mine"' in text
        assert AuditEvent.objects.count() == events
        assert getattr(type(row).objects.get(pk=row.pk), field) != "mine"


def test_stale_page_is_saved_by_a_second_save(editor: Client) -> None:
    row = FederatedEndpoint.objects.create(name="M", target_model_name="m", targets=[TARGET])
    mine = open_form(editor, address_of(row))
    FederatedEndpoint.objects.update(description="theirs", targets=[{**TARGET, "cluster": "other"}, TARGET])
    page = save(editor, address_of(row), {**mine, "description": "mine"})
    assert page.status_code == 409

    from_page = page.context["adminform"].form
    again = {**mine, "description": "mine", "seen": from_page.data["seen"]}

    assert save(editor, address_of(row), again).status_code == 302
    row.refresh_from_db()
    assert (row.description, row.targets[0]["cluster"], len(row.targets)) == ("mine", "polaris", 1)
    assert latest().changes["description"] == ["theirs", "mine"]


def test_page_of_a_row_that_is_gone_or_forged_saves_nothing(editor: Client) -> None:
    row = Cluster.objects.create(name="polaris")
    values = open_form(editor, address_of(row))
    forged = save(editor, address_of(row), {**values, "seen": "made:up:it", "description": "x"})
    assert "This page is too old" in forged.content.decode()
    row.refresh_from_db()
    assert row.description == ""


def fill_log(count: int, **fields: Any) -> None:
    now = datetime.now(UTC)
    rows = [
        RequestLog(
            request_id=f"req_{status}_{index}",
            received_at=now - timedelta(minutes=index),
            sub="7e570000-0000-4000-8000-00000000b001",
            method="POST",
            operation="chat/completions",
            model="m",
            status=status,
            duration_ms=1.0,
            **fields,
        )
        for status in (200, 403, 500)
        for index in range(count)
    ]
    RequestLog.objects.bulk_create(rows)


def test_request_log_filters_and_finds_without_counting_everything(editor: Client) -> None:
    fill_log(40)
    RequestLog.objects.filter(request_id="req_200_39").update(received_at=datetime.now(UTC) - timedelta(days=3))
    url = f"{ADMIN}/resource_server/requestlog/"
    expected = {
        "": 119,
        "?hours=all": 120,
        "?hours=all&outcome=4": 40,
        "?q=req_403_7": 1,
        "?q=m&outcome=5": 40,
        "?q=nope": 0,
    }
    for query, count in expected.items():
        with CaptureQueriesContext(connection) as queries:
            page = editor.get(f"{url}{query}")
        assert page.context["cl"].result_count == count, query
        counting = [query["sql"] for query in queries if "COUNT(" in query["sql"] and "requestlog" in query["sql"]]
        assert counting
        assert all("LIMIT 5000" in sql for sql in counting)
        assert not any("DISTINCT" in query["sql"] for query in queries if "requestlog" in query["sql"])


@pytest.mark.parametrize("kind", ["requestlog", "auditevent"])
def test_log_and_audit_are_read_and_never_written(editor: Client, kind: str) -> None:
    fill_log(1)
    record_event(Actor(Source.COMMAND), Action.UPDATE, "cluster", "polaris")
    row = RequestLog.objects.all()[0] if kind == "requestlog" else latest()
    base = f"{ADMIN}/resource_server/{kind}"
    assert editor.get(f"{base}/{row.pk}/change/").status_code == 200
    assert editor.post(f"{base}/{row.pk}/change/", {"actor_name": "x"}).status_code == 403
    assert editor.get(f"{base}/add/").status_code == 403
    assert editor.post(f"{base}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    sent = {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes"}
    editor.post(f"{base}/", sent)
    assert type(row).objects.filter(pk=row.pk).exists()


def test_audit_shows_before_and_after_as_text(editor: Client) -> None:
    cluster = Cluster.objects.create(name="polaris")
    values = open_form(editor, address_of(cluster))
    save(editor, address_of(cluster), {**values, "description": "<script>x</script>"})
    page = editor.get(f"{ADMIN}/resource_server/auditevent/{latest().pk}/change/").content.decode()
    assert "&lt;script&gt;x&lt;/script&gt;" in page
    assert "<script>x" not in page


def make_globus_person() -> User:
    person = User.objects.create(username="alice@site.example.org", role_at_sign_in="operator")
    person.set_unusable_password()
    person.save()
    UserSocialAuth.objects.create(user=person, provider="globus", uid=str(person.sub))
    return person


def test_role_of_a_globus_person_is_shown_and_not_edited(editor: Client) -> None:
    person = make_globus_person()
    page = editor.get(address_of(person)).content.decode()
    assert "operator (by Globus groups, at the last sign-in)" in page
    for name in ("is_staff", "is_superuser", "username", "sub", "password1"):
        assert f'name="{name}"' not in page
    sent = {"is_active": "", "is_staff": "on", "is_superuser": "on", "username": "other"}
    assert editor.post(address_of(person), sent).status_code == 302
    person.refresh_from_db()
    assert (person.is_active, person.is_staff, person.is_superuser) == (False, False, False)
    assert person.username == "alice@site.example.org"
    assert latest().changes == {"is_active": [True, False]}
    assert editor.get(address_of(person).replace("change", "password")).status_code == 403


def test_local_account_gets_a_new_password_which_the_audit_does_not_show(editor: Client) -> None:
    person = User.objects.create_user("local", password="first long password")
    url = address_of(person).replace("change", "password")
    sent = {"password1": "second long password", "password2": "second long password", "usable_password": "true"}
    assert editor.post(url, sent).status_code == 302
    person.refresh_from_db()
    assert person.check_password("second long password")
    assert latest().changes == {"password": ["(hidden)", "(hidden)"]}
