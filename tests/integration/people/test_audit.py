"""The audit and the versions of rows: what their callers rely on."""

import pytest
from django.db import transaction

from resource_server.models import AuditEvent, Cluster, Endpoint, FederatedEndpoint, User
from resource_server.models.audit_event import AuditEventFinal
from resource_server.models.versions import VersionConflict, lock_version, version_of
from resource_server.services.audit import HIDDEN, Action, Actor, Source, content_of, record_change, record_event

pytestmark = pytest.mark.django_db

TARGET = {"backend": "simulated", "cluster": "polaris", "framework": "vllm", "model": "m"}
COMMAND = Actor(Source.COMMAND)


def build_rows() -> list[Cluster | Endpoint | FederatedEndpoint]:
    return [
        Cluster.objects.create(name="polaris", allowed_domains=["anl.gov"]),
        Endpoint.objects.create(cluster="polaris", framework="vllm", model="m", backend="simulated"),
        FederatedEndpoint.objects.create(name="M", target_model_name="m", targets=[TARGET]),
    ]


def test_update_is_recorded_field_by_field() -> None:
    person = User.objects.create_user("alice@site.example.org")
    cluster = Cluster.objects.create(name="polaris")
    before = content_of(cluster)
    cluster.maintenance = True
    cluster.save()

    event = record_change(Actor(Source.ADMIN, person, request_id="req_1"), Action.UPDATE, cluster, before)

    assert event is not None
    assert event.changes == {"maintenance": [False, True]}
    assert (event.actor, event.actor_name, event.source) == (person, "alice@site.example.org", "admin")
    assert (event.object_type, event.object_key, event.request_id) == ("cluster", "polaris", "req_1")


def test_update_that_changes_nothing_is_no_event() -> None:
    cluster = Cluster.objects.create(name="polaris")
    assert record_change(COMMAND, Action.UPDATE, cluster, content_of(cluster)) is None
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("action", [Action.CREATE, Action.DELETE])
def test_creation_and_deletion_keep_the_whole_row(action: AuditEvent.Action) -> None:
    for row in build_rows():
        event = record_change(COMMAND, action, row)
        assert event is not None
        side = 1 if action == Action.CREATE else 0
        assert {name: values[side] for name, values in event.changes.items()}.items() <= content_of(row).items()
        assert event.actor_name == "manage.py"


def test_secrets_never_get_into_the_audit() -> None:
    person = User.objects.create_user("alice", password="first-secret-word")
    first = person.password
    before = content_of(person)
    person.set_password("second-secret-word")

    event = record_change(COMMAND, Action.UPDATE, person, before)
    created = record_change(COMMAND, Action.CREATE, person)

    assert event is not None
    assert created is not None
    assert event.changes == {"password": [HIDDEN, HIDDEN]}
    assert first not in str(created.changes)
    assert person.password not in str(created.changes)


def test_events_are_neither_changed_nor_removed() -> None:
    event = record_event(COMMAND, Action.SIGN_IN, "session")
    event.actor_name = "somebody else"
    for attempt in (
        event.save,
        event.delete,
        AuditEvent.objects.all().delete,
        lambda: AuditEvent.objects.update(actor_name="x"),
    ):
        with pytest.raises(AuditEventFinal):
            attempt()
    assert AuditEvent.objects.get().actor_name == "manage.py"


def test_event_outlives_the_person_who_made_it() -> None:
    person = User.objects.create_user("alice")
    record_event(Actor(Source.ADMIN, person), Action.SIGN_IN, "session")
    person.delete()
    event = AuditEvent.objects.get()
    assert (event.actor, event.actor_name) == (None, "alice")


def test_event_goes_with_the_transaction_of_its_change() -> None:
    with pytest.raises(RuntimeError), transaction.atomic():  # noqa: PT012 - the failure comes after the record
        record_change(COMMAND, Action.CREATE, Cluster.objects.create(name="polaris"))
        raise RuntimeError
    assert not AuditEvent.objects.exists()


def test_version_is_of_the_content_and_stable() -> None:
    for row in build_rows():
        again = type(row).objects.get(pk=row.pk)
        assert version_of(row) == version_of(again)
        assert len(version_of(row)) == 16


def test_every_field_moves_the_version() -> None:
    cluster, endpoint, federated = build_rows()
    changes = [
        (cluster, "maintenance", True),
        (cluster, "allowed_domains", []),
        (endpoint, "backend_settings", {"output_tokens": 2}),
        (federated, "targets", [{**TARGET, "output_tokens": 2}]),
        (federated, "description", "new"),
    ]
    for row, name, value in changes:
        before = version_of(row)
        setattr(row, name, value)
        assert version_of(row) != before, name


def test_lock_refuses_a_row_that_changed_since() -> None:
    seen = Cluster.objects.create(name="polaris")
    version = version_of(seen)
    with transaction.atomic():
        assert lock_version(Cluster, seen.pk, version) == seen
    Cluster.objects.update(maintenance=True)
    with transaction.atomic(), pytest.raises(VersionConflict) as caught:
        lock_version(Cluster, seen.pk, version)
    assert caught.value.current == seen
    Cluster.objects.all().delete()
    with transaction.atomic(), pytest.raises(VersionConflict) as gone:
        lock_version(Cluster, seen.pk, version)
    assert gone.value.current is None
