"""Who takes part in the demo, and the ids under which the stand-in of the Globus cloud knows them.

alice may use everything; bob comes from the same site but is not in the premium group; charlie signed in through a
provider that is not allowed; robot is a Globus client identity: no session, so it is let in by name.
"""

GATEWAY_ID = "0de30000-0000-4000-8000-00000000c001"
SERVICE_ACCOUNT_ID = "0de30000-0000-4000-8000-00000000c002"
ROBOT_ID = "0de30000-0000-4000-8000-00000000c003"
PUBLIC_CLIENT_ID = "58fdd3bc-e1c3-4ce5-80ea-8d6b87cfb944"
"""The token script's default client."""

SITE_PROVIDER_ID = "0de30000-0000-4000-8000-00000000d001"
OTHER_PROVIDER_ID = "0de30000-0000-4000-8000-00000000d002"
ALICE_ID = "0de30000-0000-4000-8000-00000000b001"
BOB_ID = "0de30000-0000-4000-8000-00000000b002"
CHARLIE_ID = "0de30000-0000-4000-8000-00000000b003"

PREMIUM_GROUP_ID = "0de30000-0000-4000-8000-00000000a001"
ENDPOINT_ID = "0de30000-0000-4000-8000-00000000e001"

GATEWAY_SCOPE = f"https://auth.globus.org/scopes/{GATEWAY_ID}/action_all"

IDENTITIES = {"alice": ALICE_ID, "bob": BOB_ID, "charlie": CHARLIE_ID, "robot": ROBOT_ID}
"""Identity by persona; a client identity has its client's id."""

SEED = {
    "providers": [
        {"id": SITE_PROVIDER_ID, "name": "Example Laboratory", "domains": ["lab.example.org"]},
        {"id": OTHER_PROVIDER_ID, "name": "Elsewhere", "domains": ["elsewhere.example.com"]},
    ],
    "identities": [
        {"id": ALICE_ID, "username": "alice@lab.example.org", "name": "Alice", "provider_id": SITE_PROVIDER_ID},
        {"id": BOB_ID, "username": "bob@lab.example.org", "name": "Bob", "provider_id": SITE_PROVIDER_ID},
        {
            "id": CHARLIE_ID,
            "username": "charlie@elsewhere.example.com",
            "name": "Charlie",
            "provider_id": OTHER_PROVIDER_ID,
        },
    ],
    "clients": [
        {"id": GATEWAY_ID, "name": "Inference Gateway"},
        {"id": SERVICE_ACCOUNT_ID, "name": "Inference Endpoints"},
        {"id": ROBOT_ID, "name": "Robot"},
        {"id": PUBLIC_CLIENT_ID, "name": "Token script", "kind": "native"},
    ],
    "groups": [{"id": PREMIUM_GROUP_ID, "name": "premium-users", "members": [{"identity": ALICE_ID}]}],
}
"""What the stand-in knows when it starts; it makes the clients' secrets itself."""

COMPUTE_ENDPOINT = {"id": ENDPOINT_ID, "name": "laptop", "owner_id": SERVICE_ACCOUNT_ID, "concurrency": 8}
"""The compute endpoint that the service account owns; the stand-in runs it."""
