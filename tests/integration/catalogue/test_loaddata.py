"""Fixtures as operators write them: the documented example loads, the shipped files load, mistakes name their place."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.serializers.base import DeserializationError

from resource_server.models import Cluster, Endpoint, FederatedEndpoint
from resource_server.models.catalogue import fingerprint, read_clusters, read_endpoints, read_federated

ROOT = Path(__file__).parents[3]
ENDPOINT_UUID = "0de30000-0000-4000-8000-00000000e001"
FUNCTION_UUID = "0de30000-0000-4000-8000-00000000f001"
GROUP = "44444444-0000-4000-8000-00000000000a"

EXAMPLE: list[dict[str, Any]] = [
    {
        "model": "resource_server.federatedendpoint",
        "pk": 1,
        "fields": {
            "name": "Meta Llama 3.1 8B Instruct (Federated)",
            "slug": "federated-meta-llama-31-8b-instruct",
            "target_model_name": "meta-llama/Meta-Llama-3.1-8B-Instruct",
            "description": "Federated access point for Llama 3.1 8B Instruct model.",
            "targets": [
                {
                    "cluster": "polaris",
                    "framework": "vllm",
                    "model": "meta-llama/Meta-Llama-3.1-8B-Instruct",
                    "endpoint_slug": "polaris-vllm-llama-31-8b-instruct",
                    "endpoint_uuid": "<Endpoint-UUID-from-previous-step>",
                    "function_uuid": "<vllm-function-uuid-from-previous-step>",
                    "api_port": 8000,
                    "allowed_globus_groups": "",
                }
            ],
        },
    }
]
ENDPOINT: dict[str, Any] = {
    "model": "resource_server.endpoint",
    "pk": 1,
    "fields": {
        "cluster": "polaris",
        "framework": "vllm",
        "model": "Meta/Llama-8B",
        "endpoint_uuid": ENDPOINT_UUID,
        "function_uuid": FUNCTION_UUID,
    },
}

pytestmark = pytest.mark.django_db


def load(folder: Path, rows: list[dict[str, Any]]) -> None:
    path = folder / "rows.json"
    path.write_text(json.dumps(rows))
    call_command("loaddata", str(path), verbosity=0)


def build_example(**target: Any) -> list[dict[str, Any]]:
    """The documented example with its placeholders filled, and `target` fields changed; `None` removes one."""
    rows = copy.deepcopy(EXAMPLE)
    values = {"endpoint_uuid": ENDPOINT_UUID, "function_uuid": FUNCTION_UUID, **target}
    fields = rows[0]["fields"]["targets"][0]
    fields.update(values)
    for name in [name for name, value in values.items() if value is None]:
        del fields[name]
    return rows


def test_documented_example_filled_in_loads(tmp_path: Path) -> None:
    load(tmp_path, build_example())
    row = FederatedEndpoint.objects.get()
    assert row.slug == "federated-meta-llama-31-8b-instruct"
    target = read_federated()[0].targets[0]
    assert (target.cluster, target.backend, target.allowed_globus_groups) == ("polaris", "globus_compute", ())


def test_documented_example_with_placeholders_is_refused_naming_row_field_and_fix(tmp_path: Path) -> None:
    with pytest.raises(DeserializationError) as caught:
        load(tmp_path, EXAMPLE)
    message = str(caught.value)
    assert "federatedendpoint" in message
    assert "pk=1" in message
    assert "targets[0].endpoint_uuid: still holds the placeholder" in message
    assert "targets[0].function_uuid: still holds the placeholder" in message


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"cluster": None}, "targets[0].cluster: is missing"),
        ({"endpoint_uuid": "123"}, "targets[0].endpoint_uuid: '123' is not a UUID"),
        ({"api_port": 70000}, "targets[0].api_port"),
        ({"api_port": "x"}, "targets[0].api_port"),
        ({"cluster": "metrics"}, "targets[0].cluster: 'metrics' is a fixed word"),
        ({"cluster": "../etc"}, "targets[0].cluster"),
        ({"framework": "a/b"}, "targets[0].framework"),
        ({"backend": "magic"}, "targets[0].backend: 'magic' is not one of"),
        ({"end_point": "x"}, "targets[0].end_point: is not a field"),
        ({"allowed_globus_groups": "team:not-a-uuid"}, "targets[0].allowed_globus_groups: 'not-a-uuid' is not a UUID"),
        ({"backend": "openai_http", "base_url": "ftp://x/v1"}, "targets[0].base_url"),
    ],
)
def test_malformed_target_is_refused_naming_the_field(tmp_path: Path, change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(DeserializationError) as caught:
        load(tmp_path, build_example(**change))
    assert complaint in str(caught.value)
    assert not FederatedEndpoint.objects.exists()


@pytest.mark.parametrize("groups", [f"team:{GROUP}; other:{FUNCTION_UUID}", [GROUP, FUNCTION_UUID]])
def test_groups_in_either_notation_mean_the_same(tmp_path: Path, groups: object) -> None:
    load(tmp_path, build_example(allowed_globus_groups=groups))
    assert read_federated()[0].targets[0].allowed_globus_groups == (GROUP, FUNCTION_UUID)


def test_endpoint_without_slug_gets_the_documented_one(tmp_path: Path) -> None:
    load(tmp_path, [ENDPOINT])
    assert Endpoint.objects.get().endpoint_slug == "polaris-vllm-metallama-8b"
    assert read_endpoints()[0].model == "Meta/Llama-8B"


def test_slug_given_in_a_fixture_is_kept(tmp_path: Path) -> None:
    load(tmp_path, [{**ENDPOINT, "fields": {**ENDPOINT["fields"], "endpoint_slug": "mine"}}])
    assert Endpoint.objects.get().endpoint_slug == "mine"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"endpoint_uuid": "<uuid>"}, "endpoint_uuid: still holds the placeholder"),
        ({"cluster": "v1"}, "cluster: 'v1' is a fixed word"),
        ({"backend_settings": {"api_port": 1}}, "api_port have columns of their own"),
    ],
)
def test_malformed_endpoint_is_refused_naming_the_field(tmp_path: Path, change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(DeserializationError) as caught:
        load(tmp_path, [{**ENDPOINT, "fields": {**ENDPOINT["fields"], **change}}])
    assert complaint in str(caught.value)


def test_endpoint_that_makes_no_target_is_refused_as_a_whole(tmp_path: Path) -> None:
    fields = {name: value for name, value in ENDPOINT["fields"].items() if name != "function_uuid"}
    with pytest.raises(ValidationError, match="function_uuid: is missing"):
        load(tmp_path, [{**ENDPOINT, "fields": fields}])


@pytest.mark.parametrize("name", ["endpoints", "federated_endpoints", "clusters", "demo"])
def test_shipped_fixture_loads_as_it_is(name: str) -> None:
    call_command("loaddata", str(ROOT / "fixtures" / f"{name}.json"), verbosity=0)
    assert read_clusters() or read_endpoints() or read_federated()


def test_fingerprint_sees_bulk_updates_and_deletions() -> None:
    Cluster.objects.create(name="polaris")
    seen = {fingerprint()}
    Cluster.objects.update(maintenance=True)
    seen.add(fingerprint())
    Cluster.objects.all().delete()
    seen.add(fingerprint())
    assert len(seen) == 3
    assert fingerprint() in seen
