"""The operator API: permissions as in the admin pages, partial updates, values kept as the checks made them."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from resource_server.models import Cluster, Endpoint, FederatedEndpoint, User

pytestmark = pytest.mark.django_db
BASE = "/resource_server/operator"
UUID = "0de30000-0000-4000-8000-00000000e001"
ENDPOINT = {"cluster": "polaris", "framework": "vllm", "model": "m", "endpoint_uuid": UUID, "function_uuid": UUID}


def sign_in(*permissions: str, **fields: Any) -> Client:
    """A client signed in as staff with these permissions."""
    user = User.objects.create_user("somebody", is_staff=True, **fields)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def staff() -> Client:
    return sign_in(is_superuser=True)


def send(client: Client, method: str, path: str, body: dict[str, Any]) -> Any:
    return client.generic(method, f"{BASE}/{path}", json.dumps(body), content_type="application/json")


def test_endpoint_keeps_its_key_through_a_partial_update(staff: Client) -> None:
    created = send(staff, "POST", "endpoints/", ENDPOINT)
    assert created.status_code == 201
    changed = send(staff, "PATCH", f"endpoints/{created.json()['id']}/", {"api_port": 8001})
    assert changed.status_code == 200, changed.content
    assert Endpoint.objects.get().api_port == 8001


def test_second_endpoint_of_one_key_is_refused(staff: Client) -> None:
    send(staff, "POST", "endpoints/", ENDPOINT)
    assert send(staff, "POST", "endpoints/", ENDPOINT).status_code == 400


def test_domains_are_kept_in_lower_case(staff: Client) -> None:
    assert send(staff, "POST", "clusters/", {"name": "polaris", "allowed_domains": ["ANL.gov"]}).status_code == 201
    assert Cluster.objects.get().allowed_domains == ["anl.gov"]


def test_targets_get_their_slugs(staff: Client) -> None:
    target = {"backend": "simulated", "cluster": "polaris", "framework": "vllm", "model": "m"}
    send(staff, "POST", "federated-endpoints/", {"name": "n", "target_model_name": "n", "targets": [target]})
    assert FederatedEndpoint.objects.get().targets[0]["endpoint_slug"] == "polaris-vllm-m"


def test_staff_without_permissions_may_neither_read_nor_change() -> None:
    client = sign_in()
    assert client.get(f"{BASE}/clusters/").status_code == 403
    assert send(client, "POST", "clusters/", {"name": "polaris"}).status_code == 403


def test_staff_who_may_view_may_not_change() -> None:
    client = sign_in("view_cluster")
    assert client.get(f"{BASE}/clusters/").status_code == 200
    assert send(client, "POST", "clusters/", {"name": "polaris"}).status_code == 403


def test_change_from_another_site_is_refused() -> None:
    User.objects.create_superuser("operator")
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.get())
    assert send(client, "POST", "clusters/", {"name": "polaris"}).status_code == 403


def test_names_without_latin_letters_get_slugs_of_their_own(staff: Client) -> None:
    for name in ("日本語", "中文"):
        target = {"backend": "simulated", "cluster": "polaris", "framework": "vllm", "model": name}
        body = {"name": name, "target_model_name": name, "targets": [target]}
        assert send(staff, "POST", "federated-endpoints/", body).status_code == 201
    assert {row.slug for row in FederatedEndpoint.objects.all()} == {"日本語", "中文"}
