"""A clock that stands still, and a Globus that says what it is told to."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeAlias

from resource_server.domain.errors import GatewayError
from resource_server.identity.base import Clock, GlobusUnavailable
from resource_server.identity.settings import IdentitySettings
from resource_server.identity.verifier import Verifier

GATEWAY = "11111111-0000-4000-8000-000000000001"
CLI_APP = "11111111-0000-4000-8000-000000000002"
ALICE = "22222222-0000-4000-8000-000000000001"
ALICE_ELSEWHERE = "22222222-0000-4000-8000-000000000002"
ROBOT = "22222222-0000-4000-8000-00000000000f"
ARGONNE = "33333333-0000-4000-8000-00000000000a"
ORCID = "33333333-0000-4000-8000-000000000002"
GROUP = "44444444-0000-4000-8000-000000000001"
OTHER_GROUP = "44444444-0000-4000-8000-000000000002"
POLICY = "55555555-0000-4000-8000-000000000001"
OTHER_POLICY = "55555555-0000-4000-8000-000000000002"

NOON = 1_800_000_000.0
SECRET = b"a secret of the installation"
BEARER = "Bearer alice-token"
ADDRESS = "192.0.2.1"
AWAY = GlobusUnavailable("away")
Build: TypeAlias = Callable[..., Verifier]
"""The fixture `build`: one more worker's verifier, settings changed by keyword."""


class ManualClock:
    """Both clocks, moved by hand."""

    def __init__(self, now: float = NOON, monotonic: float = 1000.0) -> None:
        self.now = now
        self.monotonic = monotonic

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.monotonic += seconds

    def clock(self) -> Clock:
        return Clock(now=lambda: self.now, monotonic=lambda: self.monotonic)


def build_settings(**changes: object) -> IdentitySettings:
    values: dict[str, object] = {"application_id": GATEWAY, "application_secret": "s3cret", **changes}
    return IdentitySettings(**values)  # type: ignore[arg-type]  # a factory: each test names what it means


def build_document(**changes: object) -> dict[str, object]:
    """Globus Auth's answer about a token of Alice, who has logged in through Argonne an hour ago."""
    return {
        "active": True,
        "sub": ALICE,
        "client_id": CLI_APP,
        "username": "alice@anl.gov",
        "name": "Alice",
        "email": "alice@anl.gov",
        "scope": f"https://auth.globus.org/scopes/{GATEWAY}/action_all",
        "aud": [GATEWAY],
        "iss": "https://auth.globus.org",
        "exp": NOON + 172_800,
        "iat": NOON - 3600,
        "nbf": NOON - 3600,
        "identity_set_detail": [
            {"sub": ALICE, "username": "alice@anl.gov", "identity_provider": ARGONNE},
            {"sub": ALICE_ELSEWHERE, "username": "a@b@Orcid.org", "identity_provider": ORCID},
        ],
        "session_info": {"authentications": {ALICE: {"idp": ARGONNE, "auth_time": NOON - 3600, "amr": None}}},
        "policy_evaluations": {},
        **changes,
    }


def build_client_document(**changes: object) -> dict[str, object]:
    """Globus Auth's answer about a token of a client identity: no session."""
    robot: dict[str, object] = {
        "sub": ROBOT,
        "client_id": ROBOT,
        "username": f"{ROBOT}@clients.auth.globus.org",
        "name": None,
        "email": None,
        "identity_set_detail": None,
        "session_info": {"authentications": {}},
    }
    return build_document(**{**robot, **changes})


class ScriptedGlobus:
    """Answers by token; everything else is inactive. `failure`, where set, is raised instead of any answer."""

    def __init__(self) -> None:
        self.documents: dict[str, object] = {}
        self.groups: dict[str, Sequence[str]] = {}
        self.failure: Exception | None = None
        self.group_failure: Exception | None = None
        self.introspected: list[str] = []
        self.groups_asked = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def introspect(self, token: str) -> object:
        self.introspected.append(token)
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return self.documents.get(token, {"active": False})

    async def active_group_ids(self, token: str) -> Sequence[str]:
        self.groups_asked += 1
        await self.gate.wait()
        if self.group_failure is not None:
            raise self.group_failure
        return self.groups.get(token, [])

    async def revoke(self, token: str) -> None:
        if self.failure is not None:
            raise self.failure
        self.documents.pop(token, None)

    async def aclose(self) -> None:
        self.gate.set()


async def outcome(verifier: Verifier, authorization: str | None = BEARER) -> str:
    """``ok``, or the name of the error."""
    try:
        await verifier.authenticate(authorization, ADDRESS)
    except GatewayError as exc:
        return type(exc).__name__
    return "ok"
