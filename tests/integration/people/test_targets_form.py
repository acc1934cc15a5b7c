"""Targets of a federated endpoint, each a form: typed, checked field by field, moved and removed."""

from typing import Any

import pytest
from django.test import Client

from resource_server.domain.targets import parse_target
from resource_server.models import AuditEvent, FederatedEndpoint
from tests.integration.people.pages import ADMIN, TARGET, address_of, make_editor, open_form, save

pytestmark = pytest.mark.django_db

ADD = f"{ADMIN}/resource_server/federatedendpoint/add/"
FULL: list[dict[str, Any]] = [
    {
        "cluster": "polaris",
        "framework": "vllm",
        "model": "m",
        "endpoint_slug": "polaris-vllm-m",
        "endpoint_uuid": "0de30000-0000-4000-8000-00000000e001",
        "function_uuid": "0de30000-0000-4000-8000-00000000f001",
        "allowed_globus_groups": "premium:0de30000-0000-4000-8000-00000000a001",
        "relay": False,
        "direct_hosts": ["x3*.example.org", "node17.example.org"],
        "operations": ["chat/completions"],
        "caps": {"n": 4, "max_output_tokens": None},
        "timeout_s": 60.5,
    },
    {**TARGET, "endpoint_slug": "s", "allowed_globus_groups": ["0de30000-0000-4000-8000-00000000a001"], "caps": {}},
    {
        "backend": "openai_http",
        "cluster": "sophia",
        "framework": "vllm",
        "model": "m",
        "endpoint_slug": "sophia-vllm-m",
        "base_url": "https://node.example.org/v1",
        "media_hosts": [],
    },
]


@pytest.fixture
def editor() -> Client:
    return make_editor()


@pytest.fixture
def row() -> FederatedEndpoint:
    for target in FULL:
        parse_target(target)
    return FederatedEndpoint.objects.create(name="M", target_model_name="m", targets=FULL)


def read(row: FederatedEndpoint) -> list[dict[str, Any]]:
    targets: list[dict[str, Any]] = FederatedEndpoint.objects.get(pk=row.pk).targets
    return targets


def test_saving_what_nobody_touched_changes_nothing(editor: Client, row: FederatedEndpoint) -> None:
    values = open_form(editor, address_of(row))
    assert save(editor, address_of(row), values).status_code == 302
    assert read(row) == FULL
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(
    ("changes", "name", "value"),
    [
        ({"targets-0-timeout_s": "90"}, "timeout_s", 90),
        ({"targets-0-timeout_s": ""}, "timeout_s", None),
        ({"targets-0-caps__n": "7"}, "caps", {"n": 7, "max_output_tokens": None}),
        ({"targets-0-relay": "True"}, "relay", True),
        ({"targets-0-direct_hosts": "x1.y.org\r\n\r\nx2.y.org"}, "direct_hosts", ["x1.y.org", "x2.y.org"]),
        ({"targets-1-allowed_globus_groups": ""}, "allowed_globus_groups", None),
        ({"targets-1-output_tokens": "3"}, "output_tokens", 3),
        ({"targets-2-base_url": "https://other.example.org/v1"}, "base_url", "https://other.example.org/v1"),
        ({"targets-2-api_key_variable": "NODE_KEY"}, "api_key_variable", "NODE_KEY"),
    ],
)  # fmt: skip
def test_one_field_changes_alone(
    editor: Client, row: FederatedEndpoint, changes: dict[str, str], name: str, value: object
) -> None:
    values = open_form(editor, address_of(row))
    assert save(editor, address_of(row), {**values, **changes}).status_code == 302
    expected = [dict(target) for target in FULL]
    index = int(next(iter(changes)).split("-")[1])
    expected[index].pop(name, None)
    if value is not None:
        expected[index][name] = value
    assert read(row) == expected


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"targets-0-endpoint_uuid": "<fill me in>"}, "endpoint_uuid", "still holds the placeholder"),
        ({"targets-0-cluster": "admin"}, "cluster", "is a fixed word of the gateway"),
        ({"targets-0-api_port": "many"}, "api_port", "valid integer"),
        ({"targets-0-caps__n": "0"}, "caps__n", "greater than or equal to 1"),
        ({"targets-0-operations": "sing"}, "operations", "Input should be"),
        ({"targets-0-first_token_ms": "1"}, "first_token_ms", "is not a field of this backend"),
        ({"targets-1-model": ""}, "model", "is missing"),
        ({"targets-2-base_url": "ftp://x"}, "base_url", "use http://host:port/v1"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(
    editor: Client, row: FederatedEndpoint, changes: dict[str, str], field: str, sentence: str
) -> None:
    values = open_form(editor, address_of(row))
    page = save(editor, address_of(row), {**values, **changes})
    assert page.status_code == 200
    index = next(iter(changes)).split("-")[1]
    forms = page.context["adminform"].form.target_forms.forms
    assert any(sentence in error for error in forms[int(index)].errors[field])
    assert sum(len(form.errors) for form in forms) == 1
    assert sentence in page.content.decode().replace("&#x27;", "'")
    assert read(row) == FULL


def test_targets_are_moved_and_removed(editor: Client, row: FederatedEndpoint) -> None:
    values = open_form(editor, address_of(row))
    order = {"targets-0-ORDER": "3", "targets-1-ORDER": "2", "targets-2-ORDER": "1", "targets-1-DELETE": "on"}
    assert save(editor, address_of(row), {**values, **order}).status_code == 302
    assert read(row) == [FULL[2], FULL[0]]


def test_target_is_added(editor: Client, row: FederatedEndpoint) -> None:
    values = open_form(editor, address_of(row))
    added = {f"targets-3-{name}": value for name, value in {**TARGET, "cluster": "aurora"}.items()}
    counted = {"targets-TOTAL_FORMS": "4", "targets-3-ORDER": "4"}
    assert save(editor, address_of(row), {**values, **added, **counted}).status_code == 302
    assert read(row) == [*FULL, {**TARGET, "cluster": "aurora", "endpoint_slug": "aurora-vllm-m"}]


def test_backend_is_changed_and_its_own_fields_go(editor: Client, row: FederatedEndpoint) -> None:
    values = open_form(editor, address_of(row))
    change = {"targets-2-backend": "simulated"}
    assert save(editor, address_of(row), {**values, **change}).status_code == 302
    assert read(row)[2] == {
        "backend": "simulated",
        "cluster": "sophia",
        "framework": "vllm",
        "model": "m",
        "endpoint_slug": "sophia-vllm-m",
        "media_hosts": [],
    }


def test_new_row_is_made_with_its_target_and_recorded(editor: Client) -> None:
    values = open_form(editor, ADD)
    typed = {f"targets-0-{name}": value for name, value in TARGET.items()}
    page = save(editor, ADD, {**values, **typed, "name": "M", "target_model_name": "m"})
    assert page.status_code == 302
    made = FederatedEndpoint.objects.get()
    assert made.targets == [{**TARGET, "endpoint_slug": "polaris-vllm-m"}]
    event = AuditEvent.objects.get()
    assert (event.action, event.object_key, event.actor_name) == ("create", "m", "editor")
    assert event.changes["targets"] == [None, made.targets]


@pytest.mark.parametrize("document", ["[]", "{", "1"])
def test_damaged_page_is_refused(editor: Client, row: FederatedEndpoint, document: str) -> None:
    values = open_form(editor, address_of(row))
    page = save(editor, address_of(row), {**values, "targets-0-document": document})
    assert "This page is damaged" in page.content.decode()
    assert read(row) == FULL
