"""The catalogue through the admin pages: the same checks as in fixtures."""

from typing import Any

import pytest
from django.test import Client

from resource_server.models import FederatedEndpoint, User

pytestmark = pytest.mark.django_db

TARGET: dict[str, Any] = {
    "cluster": "polaris",
    "framework": "vllm",
    "model": "m",
    "endpoint_uuid": "0de30000-0000-4000-8000-00000000e001",
    "function_uuid": "0de30000-0000-4000-8000-00000000f001",
}
BROKEN = {**TARGET, "endpoint_uuid": "<fill me in>"}
COMPLAINT = "still holds the placeholder"


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("operator", "operator@example.org", "x"))
    return client


def _form(target: dict[str, Any]) -> dict[str, str]:
    sent = {f"targets-0-{name}": value for name, value in {"backend": "globus_compute", **target}.items()}
    counts = {"targets-TOTAL_FORMS": "1", "targets-INITIAL_FORMS": "0"}
    return {"name": "Llama", "target_model_name": "llama", "slug": "", **sent, **counts}


def test_admin_refuses_a_malformed_target_naming_it(staff: Client) -> None:
    response = staff.post("/resource_server/admin/resource_server/federatedendpoint/add/", _form(BROKEN))
    assert COMPLAINT in response.content.decode()
    assert not FederatedEndpoint.objects.exists()


def test_admin_accepts_a_good_target_and_fills_the_slug(staff: Client) -> None:
    response = staff.post("/resource_server/admin/resource_server/federatedendpoint/add/", _form(TARGET))
    assert response.status_code == 302
    assert FederatedEndpoint.objects.get().slug == "llama"
