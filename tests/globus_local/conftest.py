from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import globus_sdk
import pytest
from globus_sdk.transport import RetryConfig

from globus_local.admin_client import Admin
from globus_local.embedded import running

GATEWAY_ID = "11111111-0000-4000-8000-00000000000a"
NATIVE_ID = "11111111-0000-4000-8000-00000000000b"
ROBOT_ID = "11111111-0000-4000-8000-00000000000c"
ALICE_ID = "22222222-0000-4000-8000-00000000000a"
BOB_ID = "22222222-0000-4000-8000-00000000000b"
CHARLIE_ID = "22222222-0000-4000-8000-00000000000c"
SITE_ID = "33333333-0000-4000-8000-00000000000a"
PREMIUM_ID = "44444444-0000-4000-8000-00000000000a"
GATEWAY_SCOPE = f"https://auth.globus.org/scopes/{GATEWAY_ID}/action_all"
GROUPS_SCOPE = "urn:globus:auth:scope:groups.api.globus.org:view_my_groups_and_memberships"
COMPUTE_SCOPE = "https://auth.globus.org/scopes/facd7ccc-c5f4-42aa-916b-a0e270e2c2a9/all"
GATEWAY_SECRET = "gateway-secret"
ROBOT_SECRET = "robot-secret"
NO_RETRIES = RetryConfig(max_retries=0)

SEED: dict[str, list[dict[str, Any]]] = {
    "providers": [{"id": SITE_ID, "name": "The Site", "domains": ["site.example"]}],
    "identities": [
        {"id": ALICE_ID, "username": "alice@site.example", "name": "Alice", "organization": "Physics"},
        {"id": BOB_ID, "username": "bob@site.example", "name": "Bob"},
        {"id": CHARLIE_ID, "username": "charlie@elsewhere.example", "name": "Charlie"},
    ],
    "clients": [
        {
            "id": GATEWAY_ID,
            "name": "gateway",
            "secret": GATEWAY_SECRET,
            "redirect_uris": ["http://localhost:8000/complete/globus/"],
            "scopes": {"action_all": [GROUPS_SCOPE]},
        },
        {"id": NATIVE_ID, "name": "token script", "kind": "native"},
        {"id": ROBOT_ID, "name": "robot", "secret": ROBOT_SECRET},
    ],
    "groups": [{"id": PREMIUM_ID, "name": "premium", "members": [{"identity": "alice@site.example"}]}],
}


@dataclass(frozen=True)
class Local:
    """A running cloud with the personas in it."""

    url: str
    admin: Admin

    @property
    def gateway(self) -> globus_sdk.ConfidentialAppAuthClient:
        return self.confidential(GATEWAY_ID, GATEWAY_SECRET)

    @property
    def robot(self) -> globus_sdk.ConfidentialAppAuthClient:
        return self.confidential(ROBOT_ID, ROBOT_SECRET)

    @property
    def native(self) -> globus_sdk.NativeAppAuthClient:
        return globus_sdk.NativeAppAuthClient(NATIVE_ID, base_url=self.url, retry_config=NO_RETRIES)

    def confidential(self, client_id: str, secret: str) -> globus_sdk.ConfidentialAppAuthClient:
        return globus_sdk.ConfidentialAppAuthClient(client_id, secret, base_url=self.url, retry_config=NO_RETRIES)

    def groups(self, token: str) -> globus_sdk.GroupsClient:
        authorizer = globus_sdk.AccessTokenAuthorizer(token)
        return globus_sdk.GroupsClient(authorizer=authorizer, base_url=self.url, retry_config=NO_RETRIES)


@pytest.fixture(scope="session")
def cloud() -> Iterator[Admin]:
    with running() as (_, admin):
        yield admin


@pytest.fixture
def local(cloud: Admin) -> Local:
    """The cloud, emptied and seeded anew."""
    cloud.reset()
    cloud.add(**SEED)
    return Local(cloud.base_url, cloud)
