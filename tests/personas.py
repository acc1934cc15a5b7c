"""Who takes part in the tests; the ids are fixed, so that a failure names somebody.

alice may use everything; bob comes from the same site but is not in the premium group; charlie signed in through
another identity provider; robot is a Globus client identity, which has no session.
"""

from dataclasses import dataclass

GATEWAY_ID = "7e570000-0000-4000-8000-00000000c001"
GATEWAY_SCOPE = f"https://auth.globus.org/scopes/{GATEWAY_ID}/action_all"
GATEWAY_SECRET = "gateway-secret"
SERVICE_ACCOUNT_ID = "7e570000-0000-4000-8000-00000000c002"
SERVICE_ACCOUNT_SECRET = "service-account-secret"
TOKEN_SCRIPT_ID = "7e570000-0000-4000-8000-00000000c003"

SITE_PROVIDER_ID = "7e570000-0000-4000-8000-00000000d001"
OTHER_PROVIDER_ID = "7e570000-0000-4000-8000-00000000d002"
PREMIUM_GROUP_ID = "7e570000-0000-4000-8000-00000000a001"


@dataclass(frozen=True, slots=True)
class Persona:
    """Somebody with a token. `provider_id` is `None` for a client identity."""

    name: str
    id: str
    username: str
    provider_id: str | None = None
    group_ids: frozenset[str] = frozenset()


ALICE = Persona(
    name="alice",
    id="7e570000-0000-4000-8000-00000000b001",
    username="alice@site.example.org",
    provider_id=SITE_PROVIDER_ID,
    group_ids=frozenset({PREMIUM_GROUP_ID}),
)
BOB = Persona(
    name="bob",
    id="7e570000-0000-4000-8000-00000000b002",
    username="bob@site.example.org",
    provider_id=SITE_PROVIDER_ID,
)
CHARLIE = Persona(
    name="charlie",
    id="7e570000-0000-4000-8000-00000000b003",
    username="charlie@elsewhere.example.com",
    provider_id=OTHER_PROVIDER_ID,
)
ROBOT = Persona(
    name="robot",
    id="7e570000-0000-4000-8000-00000000b004",
    username="7e570000-0000-4000-8000-00000000b004@clients.auth.globus.org",
)
PERSONAS = (ALICE, BOB, CHARLIE, ROBOT)
