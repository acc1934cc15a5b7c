"""A local Globus with the four personas in it, and a gateway's verifier before it; time can be moved for both."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from globus_local.admin_client import Admin
from globus_local.cloud import Cloud, Settings
from globus_local.server import serving
from resource_server.domain.errors import GatewayError
from resource_server.identity.base import Clock
from resource_server.identity.globus_auth import GlobusAuth
from resource_server.identity.settings import IdentitySettings
from resource_server.identity.verifier import Verifier
from resource_server.state.memory import MemoryKeyValue
from tests.personas import (
    GATEWAY_ID,
    GATEWAY_SECRET,
    OTHER_PROVIDER_ID,
    PERSONAS,
    PREMIUM_GROUP_ID,
    ROBOT,
    SERVICE_ACCOUNT_ID,
    SERVICE_ACCOUNT_SECRET,
    SITE_PROVIDER_ID,
    Persona,
)

CLI_ID = "7e570000-0000-4000-8000-00000000c003"
MFA_POLICY_ID = "7e570000-0000-4000-8000-00000000e001"
SITE_POLICY_ID = "7e570000-0000-4000-8000-00000000e002"
FRESH_LOGIN_POLICY_ID = "7e570000-0000-4000-8000-00000000e003"
GATEWAY_SCOPE = f"https://auth.globus.org/scopes/{GATEWAY_ID}/action_all"
ADDRESS = "192.0.2.1"

RECORDS: dict[str, list[dict[str, Any]]] = {
    "providers": [{"id": SITE_PROVIDER_ID, "name": "Site"}, {"id": OTHER_PROVIDER_ID, "name": "Elsewhere"}],
    "clients": [
        {"id": GATEWAY_ID, "name": "gateway", "secret": GATEWAY_SECRET},
        {"id": SERVICE_ACCOUNT_ID, "name": "service account", "secret": SERVICE_ACCOUNT_SECRET},
        {"id": CLI_ID, "name": "cli", "kind": "native"},
        {"id": ROBOT.id, "name": "robot", "secret": "robot-secret"},
    ],
    "identities": [
        {"id": who.id, "username": who.username, "name": who.name, "provider_id": who.provider_id}
        for who in PERSONAS
        if who.provider_id
    ],
    "groups": [
        {
            "id": PREMIUM_GROUP_ID,
            "name": "premium",
            "members": [{"identity": who.id} for who in PERSONAS if PREMIUM_GROUP_ID in who.group_ids],
        }
    ],
    "policies": [
        {"id": MFA_POLICY_ID, "display_name": "two factors", "required_mfa": True},
        {"id": SITE_POLICY_ID, "display_name": "site only", "domain_constraints_include": ["site.example.org"]},
        {
            "id": FRESH_LOGIN_POLICY_ID,
            "display_name": "login of this hour",
            "high_assurance": True,
            "authentication_assurance_timeout": 3600,
        },
    ],
}


class World:
    """What a test arranges and observes."""

    def __init__(self, cloud: Cloud, set_variable: Callable[[str, str], None]) -> None:
        self._cloud = cloud
        self._admin = Admin(cloud.base_url, cloud.admin_token)
        self._shift_s = 0.0
        self._stack = AsyncExitStack()
        self._key_value = MemoryKeyValue(clock=lambda: time.monotonic() + self._shift_s)
        set_variable("GLOBUS_SDK_SERVICE_URL_AUTH", cloud.base_url)
        set_variable("GLOBUS_SDK_SERVICE_URL_GROUPS", cloud.base_url)

    async def arrange(self, arrangement: Callable[[Admin], Any]) -> Any:
        """Run a call of the admin surface."""
        return await asyncio.to_thread(arrangement, self._admin)

    async def token(self, who: Persona, scope: str = GATEWAY_SCOPE, **options: Any) -> str:
        token: str = await self.arrange(lambda admin: admin.issue_token(who.id, scope, **options))
        return token

    def verifier(self, **changes: Any) -> Verifier:
        """The verifier of one more worker, with the limits of tests."""
        values = {"application_id": GATEWAY_ID, "application_secret": GATEWAY_SECRET, "call_timeout_s": 0.3, **changes}
        settings = IdentitySettings(**values)
        clock = Clock(lambda: time.time() + self._shift_s, lambda: time.monotonic() + self._shift_s)
        verifier = Verifier(settings, GlobusAuth(settings), self._key_value, b"installation secret", clock)
        self._stack.push_async_callback(verifier.aclose)
        return verifier

    def advance(self, seconds: float) -> None:
        """Move the gateway's and Globus's time."""
        self._shift_s += seconds
        self._cloud.clock.skew_s = self._shift_s

    async def break_service(self, service: str, action: str = "status", **fields: Any) -> None:
        await self.arrange(lambda admin: admin.add_fault(action, service=service, **fields))

    async def heal(self) -> None:
        await self.arrange(lambda admin: admin.clear_faults())

    async def calls(self, path: str) -> int:
        """How often a path has been asked for."""
        ledger: list[dict[str, Any]] = await self.arrange(lambda admin: admin.read_ledger())
        return sum(call["path"] == path for call in ledger)

    async def aclose(self) -> None:
        await self._stack.aclose()


@asynccontextmanager
async def open_world(set_variable: Callable[[str, str], None]) -> AsyncIterator[World]:
    """A cloud with its people; everything made in it closes with it."""
    cloud = Cloud(Settings(with_endpoint=False))
    async with serving(cloud):
        world = World(cloud, set_variable)
        await world.arrange(lambda admin: admin.add(**RECORDS))
        try:
            yield world
        finally:
            await world.heal()
            await world.aclose()


async def outcome(verifier: Verifier, token: str) -> str:
    """``ok``, or status and code of the error."""
    try:
        await verifier.authenticate(f"Bearer {token}", ADDRESS)
    except GatewayError as exc:
        return f"{exc.status} {exc.code}"
    return "ok"
