"""Who may come in, with the real SDK against the local Globus cloud; and what happens when that cloud fails."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from resource_server.domain.errors import AuthUnavailable
from resource_server.identity.settings import GROUPS_SCOPE
from tests.integration.identity.world import (
    FRESH_LOGIN_POLICY_ID,
    MFA_POLICY_ID,
    SITE_POLICY_ID,
    World,
    open_world,
    outcome,
)
from tests.personas import (
    ALICE,
    BOB,
    CHARLIE,
    PREMIUM_GROUP_ID,
    ROBOT,
    SERVICE_ACCOUNT_ID,
    SITE_PROVIDER_ID,
    Persona,
)

INTROSPECT = "/v2/oauth2/token/introspect"
MY_GROUPS = "/v2/groups/my_groups"
UNKNOWN, DOWN = "401 invalid_api_key", "503 auth_unavailable"
DENIED, REDO = "403 access_denied", "403 reauthentication_required"

SITE_ONLY = {"authorized_idps": {"site.example.org": SITE_PROVIDER_ID}}
DEMO = {**SITE_ONLY, "authorized_clients": frozenset({ROBOT.id})}


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with open_world(monkeypatch.setenv) as world:
        yield world


@pytest.mark.parametrize(
    ("who", "rules", "expected"),
    [
        (ALICE, DEMO, "ok"),
        (BOB, DEMO, "ok"),
        (CHARLIE, DEMO, REDO),
        (ROBOT, DEMO, "ok"),
        (ROBOT, SITE_ONLY, DENIED),
        (CHARLIE, {}, "ok"),
        (ROBOT, {}, "ok"),
        (ALICE, {"group_ids": frozenset({PREMIUM_GROUP_ID})}, "ok"),
        (BOB, {"group_ids": frozenset({PREMIUM_GROUP_ID})}, DENIED),
        (ROBOT, {"group_ids": frozenset({PREMIUM_GROUP_ID})}, DENIED),
        (ALICE, {"policy_ids": frozenset({SITE_POLICY_ID})}, "ok"),
        (CHARLIE, {"policy_ids": frozenset({SITE_POLICY_ID})}, REDO),
        (ROBOT, {"policy_ids": frozenset({SITE_POLICY_ID})}, REDO),
        (ALICE, {"policy_ids": frozenset({SITE_POLICY_ID, MFA_POLICY_ID})}, REDO),
    ],
)
async def test_personas(world: World, who: Persona, rules: dict[str, Any], expected: str) -> None:
    assert await outcome(world.verifier(**rules), await world.token(who)) == expected


async def test_second_factor_fulfils_the_policy(world: World) -> None:
    verifier = world.verifier(policy_ids=frozenset({MFA_POLICY_ID}))
    assert await outcome(verifier, await world.token(ALICE)) == REDO
    assert await outcome(verifier, await world.token(ALICE, session=[{"amr": ["pwd", "mfa"]}])) == "ok"


async def test_login_that_grows_too_old_is_refused(world: World) -> None:
    verifier = world.verifier(policy_ids=frozenset({FRESH_LOGIN_POLICY_ID}))
    token = await world.token(ALICE, session=[{"auth_time": time.time() - 3580}])
    assert await outcome(verifier, token) == "ok"
    world.advance(30.0)
    assert await outcome(verifier, token) == REDO


async def test_principal_is_the_person(world: World) -> None:
    caller = await world.verifier().authenticate(f"Bearer {await world.token(ALICE)}", "::1")
    principal = caller.principal
    assert (principal.sub, principal.username, principal.is_client) == (ALICE.id, ALICE.username, False)
    assert principal.identity_provider_ids == {SITE_PROVIDER_ID}
    assert principal.domains == {"site.example.org"}
    assert await caller.groups() == {PREMIUM_GROUP_ID}


async def test_client_identity_is_told_apart(world: World) -> None:
    caller = await world.verifier().authenticate(f"Bearer {await world.token(ROBOT)}", "::1")
    assert (caller.principal.sub, caller.principal.is_client) == (ROBOT.id, True)
    assert await caller.groups() == frozenset()


@pytest.mark.parametrize("made_up", ["made-up", "x" * 2048])
async def test_made_up_token_is_unauthorized(world: World, made_up: str) -> None:
    assert await outcome(world.verifier(), made_up) == UNKNOWN


async def test_expired_token_is_unauthorized(world: World) -> None:
    assert await outcome(world.verifier(), await world.token(ALICE, expires_in=-1)) == UNKNOWN


async def test_token_for_another_service_is_unauthorized(world: World) -> None:
    other = f"https://auth.globus.org/scopes/{SERVICE_ACCOUNT_ID}/action_all"
    assert await outcome(world.verifier(), await world.token(ALICE, other)) == UNKNOWN
    assert await outcome(world.verifier(), await world.token(ALICE, GROUPS_SCOPE)) == UNKNOWN


async def test_revoked_token_is_refused_within_thirty_seconds(world: World) -> None:
    workers = [world.verifier(), world.verifier()]
    token = await world.token(ALICE)
    assert [await outcome(worker, token) for worker in workers] == ["ok", "ok"]
    assert await world.calls(INTROSPECT) == 1
    await world.arrange(lambda admin: admin.revoke(token))
    world.advance(30.0)
    assert [await outcome(worker, token) for worker in workers] == [UNKNOWN, UNKNOWN]


async def test_removal_from_a_group_is_seen_within_a_minute(world: World) -> None:
    verifier = world.verifier(group_ids=frozenset({PREMIUM_GROUP_ID}))
    token = await world.token(ALICE)
    assert await outcome(verifier, token) == "ok"
    await world.arrange(lambda admin: admin.remove_member(PREMIUM_GROUP_ID, ALICE.id))
    world.advance(60.0)
    assert await outcome(verifier, token) == DENIED


async def test_invitation_is_no_membership(world: World) -> None:
    await world.arrange(lambda admin: admin.set_member(PREMIUM_GROUP_ID, BOB.id, status="invited"))
    verifier = world.verifier(group_ids=frozenset({PREMIUM_GROUP_ID}))
    assert await outcome(verifier, await world.token(BOB)) == DENIED


async def test_wrong_secret_is_the_gateways_failure(world: World, caplog: pytest.LogCaptureFixture) -> None:
    verifier = world.verifier(application_secret="rotated")
    with caplog.at_level(logging.ERROR):
        assert await outcome(verifier, await world.token(ALICE)) == DOWN
    assert "GLOBUS_APPLICATION_ID" in caplog.text
    assert "rotated" not in caplog.text


@pytest.mark.parametrize(
    "fault",
    [
        {"action": "status", "status": 503},
        {"action": "drop"},
        {"action": "hang"},
        {"action": "malformed", "status": 200},
    ],
)
async def test_auth_down_known_tokens_live_on_for_the_grace_and_others_are_told_to_wait(
    world: World, fault: dict[str, Any]
) -> None:
    verifier = world.verifier()
    known, unknown = await world.token(ALICE), await world.token(BOB)
    assert await outcome(verifier, known) == "ok"
    await world.break_service("auth", **fault)
    world.advance(31.0)
    assert await outcome(verifier, known) == "ok"
    assert await outcome(verifier, unknown) == DOWN
    world.advance(250.0)
    assert await outcome(verifier, known) == "ok"
    world.advance(20.0)
    assert await outcome(verifier, known) == DOWN
    await world.heal()
    world.advance(75.0)
    assert await outcome(verifier, unknown) == "ok"
    assert await outcome(verifier, known) == "ok"


async def test_auth_gone_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_world(monkeypatch.setenv) as world:
        token = await world.token(ALICE)
        monkeypatch.setenv("GLOBUS_SDK_SERVICE_URL_AUTH", "http://127.0.0.1:9")
        assert await outcome(world.verifier(), token) == DOWN


async def test_high_assurance_has_no_grace(world: World) -> None:
    verifier = world.verifier(policy_ids=frozenset({SITE_POLICY_ID}))
    token = await world.token(ALICE)
    assert await outcome(verifier, token) == "ok"
    await world.break_service("auth")
    world.advance(30.0)
    assert await outcome(verifier, token) == DOWN


async def test_retry_after_is_passed_on_and_honoured(world: World) -> None:
    verifier = world.verifier()
    await world.break_service("auth", status=429, retry_after_s=9)
    for who in (ALICE, BOB):
        with pytest.raises(AuthUnavailable) as caught:
            await verifier.authenticate(f"Bearer {await world.token(who)}", "192.0.2.1")
        assert caught.value.headers["retry-after"] == "9"
    assert await world.calls(INTROSPECT) == 1


async def test_groups_down_is_not_no_groups(world: World) -> None:
    verifier = world.verifier()
    caller = await verifier.authenticate(f"Bearer {await world.token(ALICE)}", "192.0.2.1")
    await world.break_service("groups")
    with pytest.raises(AuthUnavailable):
        await caller.groups()


async def test_known_groups_live_on_while_groups_is_down(world: World) -> None:
    caller = await world.verifier().authenticate(f"Bearer {await world.token(ALICE)}", "192.0.2.1")
    await caller.groups()
    await world.break_service("groups", action="hang")
    world.advance(240.0)
    assert await caller.groups() == {PREMIUM_GROUP_ID}
    world.advance(61.0)
    with pytest.raises(AuthUnavailable):
        await caller.groups()


async def test_many_requests_with_one_token_make_one_call(world: World) -> None:
    verifier = world.verifier()
    token = await world.token(ALICE)
    assert await asyncio.gather(*(outcome(verifier, token) for _ in range(50))) == ["ok"] * 50
    assert await world.calls(INTROSPECT) == 1


async def test_flood_asks_globus_fifty_times_a_second_at_most(world: World) -> None:
    verifier = world.verifier(unknown_per_address_per_s=1e6, unknown_per_address_burst=1_000_000)
    token = await world.token(ALICE)
    assert await outcome(verifier, token) == "ok"
    started_at = time.monotonic()
    refusals = await asyncio.gather(*(outcome(verifier, f"made-up-{n}") for n in range(2000)))
    lasted_s = time.monotonic() - started_at
    assert set(refusals) == {UNKNOWN, DOWN}
    assert await outcome(verifier, token) == "ok"
    assert await world.calls(INTROSPECT) <= 50 * (lasted_s + 1)
