"""Rows of the catalogue: what is kept, what is refused and at which field, what the audit says of it."""

from typing import Any

import pytest

from resource_server.models import AuditEvent, Cluster, Endpoint, FederatedEndpoint
from tests.integration.operator_api.clients import ENDPOINT, FEDERATED, TARGET, UUID, Api

PLACEHOLDER = "endpoint_uuid: still holds the placeholder"


def test_row_is_created_read_changed_and_deleted_and_each_step_is_in_the_audit(operator: Api) -> None:
    created = operator.create("endpoints/", ENDPOINT)
    path = f"endpoints/{created['id']}/"
    assert operator.get(path).json() == created
    changed = operator.send("PATCH", path, {"api_port": 8001}, version=created["version"])
    assert (changed.status_code, changed.json()["api_port"]) == (200, 8001)
    assert operator.send("DELETE", path, version=changed.json()["version"]).status_code == 204
    assert operator.get(path).status_code == 404
    events = AuditEvent.objects.order_by("id")
    assert [(event.action, event.source, event.actor, event.object_key) for event in events] == [
        (action, "operator_api", operator.user, "polaris-vllm-m") for action in ("create", "update", "delete")
    ]
    assert events[1].changes == {"api_port": [8000, 8001]}


def test_put_replaces_the_row_and_gives_the_rest_its_default(operator: Api) -> None:
    created = operator.create("clusters/", {"name": "polaris", "description": "x", "allowed_domains": ["anl.gov"]})
    path = f"clusters/{created['id']}/"
    replaced = operator.send("PUT", path, {"name": "polaris"}, version=created["version"])
    assert (replaced.json()["description"], replaced.json()["allowed_domains"]) == ("", [])
    assert Cluster.objects.get().pk == created["id"]


def test_what_was_read_can_be_put_back_as_it_is(operator: Api) -> None:
    created = operator.create("federated-endpoints/", FEDERATED)
    path = f"federated-endpoints/{created['id']}/"
    again = operator.send("PUT", path, created, version=created["version"])
    assert again.json() == created
    assert AuditEvent.objects.count() == 1  # nothing changed


def test_values_are_kept_as_the_checks_made_them(operator: Api) -> None:
    assert operator.create("clusters/", {"name": "c", "allowed_domains": ["ANL.gov"]})["allowed_domains"] == ["anl.gov"]
    assert operator.create("federated-endpoints/", FEDERATED)["targets"][0]["endpoint_slug"] == "polaris-vllm-m"
    for name in ("日本語", "中文"):
        operator.create("federated-endpoints/", {**FEDERATED, "name": name, "target_model_name": name})
    assert {row.slug for row in FederatedEndpoint.objects.all()} == {"m", "日本語", "中文"}


REFUSALS: list[tuple[str, Any, str | None, str]] = [
    ("endpoints", {**ENDPOINT, "endpoint_uuid": "<fill me in>"}, "endpoint_uuid", PLACEHOLDER),
    ("endpoints", {**ENDPOINT, "endpoint_uuid": 7}, "endpoint_uuid", "endpoint_uuid: '7' is not a UUID"),
    ("endpoints", {**ENDPOINT, "function_uuid": None}, "function_uuid", "function_uuid: is missing"),
    ("endpoints", {**ENDPOINT, "cluster": "v1"}, "cluster", "cluster: 'v1' is a fixed word"),
    ("endpoints", {**ENDPOINT, "api_port": 70000}, "api_port", "api_port: "),
    (
        "endpoints",
        {**ENDPOINT, "api_prot": 1},
        "api_prot",
        "api_prot: is no field here, use id, version, endpoint_slug",
    ),
    ("endpoints", {"framework": "vllm", "model": "m"}, "cluster", "cluster: This field is required."),
    ("endpoints", {**ENDPOINT, "backend": "magic"}, "backend", "backend: 'magic' is not one of"),
    ("endpoints", {**ENDPOINT, "model": "a\ud800"}, None, "is not JSON"),
    ("endpoints", {**ENDPOINT, "backend_settings": {"api_port": 1}}, "backend_settings", "have columns of their own"),
    ("endpoints", {**ENDPOINT, "backend_settings": []}, "backend_settings", "is a JSON object"),
    ("clusters", {"name": "c", "allowed_globus_groups": {}}, "allowed_globus_groups", "groups are a list"),
    ("federated-endpoints", {**FEDERATED, "targets": {}}, "targets", "targets: is a list of targets"),
    (
        "federated-endpoints",
        {**FEDERATED, "targets": [TARGET, {**ENDPOINT, "endpoint_uuid": "<x>"}]},
        "targets",
        f"targets[1].{PLACEHOLDER}",
    ),
    ("clusters", {"name": "c", "allowed_domains": "anl.gov"}, "allowed_domains", "allowed_domains: is a list"),
    ("clusters", {"name": "c", "description": "\0"}, None, "holds a NUL"),
    (
        "clusters",
        {"name": "c", "maintenance_from": "2099-01-02T00:00", "maintenance_until": "2099-01-01T00:00Z"},
        "maintenance_until",
        "maintenance_until: is not after maintenance_from",
    ),
    ("clusters", b'{"name": "a", "name": "b"}', None, "The key 'name' appears twice"),
    ("clusters", b"[]", None, "must be a JSON object"),
    ("clusters", b"{", None, "is not JSON: "),
]


@pytest.mark.parametrize(
    ("kind", "body", "param", "complaint"), REFUSALS, ids=[f"{row[0]}-{row[3]}" for row in REFUSALS]
)
def test_mistake_is_refused_at_its_field(
    operator: Api, kind: str, body: Any, param: str | None, complaint: str
) -> None:
    response = operator.send("POST", f"{kind}/", body)
    assert response.status_code == 400, response.content
    document = response.json()
    error = document["error"]
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", "invalid_value", param)
    assert complaint in error["message"]
    if param is not None:
        assert any(complaint in sentence for sentence in document["fields"][param])
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(
    ("kind", "body", "param"),
    [("clusters", {"name": "c"}, "name"), ("endpoints", ENDPOINT, None), ("federated-endpoints", FEDERATED, None)],
)
def test_second_row_of_one_key_is_refused(operator: Api, kind: str, body: Any, param: str | None) -> None:
    operator.create(f"{kind}/", body)
    response = operator.send("POST", f"{kind}/", body)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "invalid_value"
    assert param is None or response.json()["error"]["param"] == param


def test_slug_that_is_taken_is_refused_though_it_is_derived(operator: Api) -> None:
    operator.create("federated-endpoints/", FEDERATED)
    response = operator.send("POST", "federated-endpoints/", {**FEDERATED, "target_model_name": "n"})
    assert (response.status_code, "slug" in response.json()["error"]["message"]) == (400, True)
    assert FederatedEndpoint.objects.count() == 1


def test_every_problem_stands_beside_the_envelope_by_field(operator: Api) -> None:
    body = {**ENDPOINT, "endpoint_uuid": "<x>", "function_uuid": "y"}
    document = operator.send("POST", "endpoints/", body).json()
    assert set(document["fields"]) == {"endpoint_uuid", "function_uuid"}


@pytest.mark.parametrize(
    ("path", "results"),
    [
        ("endpoints/?cluster=polaris", ["polaris", "polaris"]),
        ("endpoints/?cluster=polaris&backend=simulated", ["polaris"]),
        ("endpoints/?search=LLAMA", ["sophia"]),
        ("endpoints/?ordering=-cluster", ["sophia", "polaris", "polaris"]),
        ("endpoints/?model=nothing", []),
        ("endpoints?page_size=1&page=2", ["polaris"]),
    ],
)
def test_list_is_filtered_ordered_and_paged(operator: Api, path: str, results: list[str]) -> None:
    for cluster, model in (("polaris", "m"), ("sophia", "Llama"), ("polaris", "n")):
        backend = {} if model != "n" else {"backend": "simulated", "endpoint_uuid": None, "function_uuid": None}
        operator.create("endpoints/", {**ENDPOINT, "cluster": cluster, "model": model, **backend})
    assert [row["cluster"] for row in operator.get(path).json()["results"]] == results


def test_federated_endpoints_are_found_by_the_clusters_of_their_targets(operator: Api) -> None:
    operator.create("federated-endpoints/", FEDERATED)
    other = {"name": "N", "target_model_name": "n", "targets": [TARGET | {"cluster": "sophia"}]}
    operator.create("federated-endpoints/", other)
    found = operator.get("federated-endpoints/", cluster="sophia").json()["results"]
    assert [row["name"] for row in found] == ["N"]


@pytest.mark.parametrize("parameter", ["clutser=x", "ordering=pk", "page_size=1&cursor=x"])
def test_parameter_that_means_nothing_is_refused(operator: Api, parameter: str) -> None:
    response = operator.get(f"endpoints/?{parameter}")
    assert response.status_code == 400
    assert response.json()["error"]["param"] in {"clutser", "ordering", "cursor"}


@pytest.mark.parametrize("path", ["clusters/1/", "clusters/abc/", "clusters/99999999999999999/", "clusters/1/x", "x"])
def test_what_is_not_there_answers_in_the_envelope(operator: Api, path: str) -> None:
    response = operator.get(path)
    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


def test_methods_types_and_formats_are_refused_in_the_envelope(operator: Api) -> None:
    wrong_method = operator.send("DELETE", "clusters/")
    assert (wrong_method.status_code, wrong_method.json()["error"]["code"]) == (405, "method_not_allowed")
    assert "POST" in wrong_method.headers["allow"]
    form = operator.client.post("/resource_server/operator/clusters/", {"name": "c"})
    assert (form.status_code, form.json()["error"]["code"]) == (415, "unsupported_media_type")
    accept = operator.client.get("/resource_server/operator/clusters/", headers={"accept": "text/csv"})
    assert (accept.status_code, accept.json()["error"]["code"]) == (406, "not_acceptable")


def test_answers_stay_out_of_caches(operator: Api) -> None:
    assert operator.get("clusters/").headers["cache-control"] == "private, no-store"


def test_uuids_are_shown_in_their_canonical_form(operator: Api) -> None:
    row = operator.create("endpoints/", {**ENDPOINT, "endpoint_uuid": UUID.upper().replace("-", "")})
    assert row["endpoint_uuid"] == UUID
    assert str(Endpoint.objects.get().endpoint_uuid) == UUID
