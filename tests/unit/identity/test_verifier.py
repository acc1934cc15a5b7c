"""Bounds of what is remembered: the invariant I1, in seconds of a clock that stands still."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import TypeAlias

import pytest

from resource_server.domain.errors import (
    AccessDenied,
    AuthenticationFailed,
    AuthUnavailable,
    GatewayError,
    RateLimited,
    ReauthenticationRequired,
)
from resource_server.identity.base import ConsentMissing, GlobusUnavailable, TokenRefused
from resource_server.identity.settings import GROUPS_SCOPE
from resource_server.identity.verifier import Verifier, hash_token
from resource_server.state.memory import MemoryKeyValue
from tests.unit.identity.fakes import (
    ALICE,
    GATEWAY,
    GROUP,
    NOON,
    OTHER_GROUP,
    POLICY,
    SECRET,
    ManualClock,
    ScriptedGlobus,
    build_document,
    build_settings,
)

BEARER = "Bearer alice-token"
ADDRESS = "192.0.2.1"
AWAY = GlobusUnavailable("away")
Build: TypeAlias = Callable[..., Verifier]


@pytest.fixture
def time() -> ManualClock:
    return ManualClock()


@pytest.fixture
def globus() -> ScriptedGlobus:
    scripted = ScriptedGlobus()
    scripted.documents["alice-token"] = build_document()
    scripted.groups["alice-token"] = [GROUP]
    return scripted


@pytest.fixture
async def build(time: ManualClock, globus: ScriptedGlobus) -> AsyncIterator[Build]:
    """Verifiers of one installation; each call is another worker."""
    key_value = MemoryKeyValue(clock=lambda: time.monotonic)
    verifiers: list[Verifier] = []

    def build_verifier(secret: bytes = SECRET, **changes: object) -> Verifier:
        verifiers.append(Verifier(build_settings(**changes), globus, key_value, secret, time.clock()))
        return verifiers[-1]

    yield build_verifier
    for verifier in verifiers:
        await verifier.aclose()


async def outcome(verifier: Verifier, authorization: str | None = BEARER) -> str:
    """``ok``, or the name of the error."""
    try:
        await verifier.authenticate(authorization, ADDRESS)
    except GatewayError as exc:
        return type(exc).__name__
    return "ok"


async def test_good_token_makes_a_principal(build: Build) -> None:
    caller = await build().authenticate(BEARER, ADDRESS)
    assert caller.principal.sub == ALICE
    assert caller.principal.domains == {"anl.gov", "orcid.org"}
    assert caller.principal.token_hash == hash_token("alice-token")
    assert not caller.principal.is_client


@pytest.mark.parametrize(
    "header", [None, "", "alice-token", "Basic abc", "Bearer", "Bearer ", "Bearer a b", "Bearer é"]
)
async def test_malformed_header_is_refused_without_asking(
    build: Build, globus: ScriptedGlobus, header: str | None
) -> None:
    with pytest.raises(AuthenticationFailed):
        await build().authenticate(header, ADDRESS)
    assert globus.introspected == []


async def test_known_token_costs_no_second_call_for_thirty_seconds(
    build: Build, globus: ScriptedGlobus, time: ManualClock
) -> None:
    verifier = build()
    assert verifier.find_cached(BEARER) is None
    assert await outcome(verifier) == "ok"
    time.advance(29.9)
    assert verifier.find_cached(BEARER) is not None
    assert await outcome(verifier) == "ok"
    assert len(globus.introspected) == 1


async def test_revoked_token_is_refused_after_thirty_seconds(
    build: Build, globus: ScriptedGlobus, time: ManualClock
) -> None:
    verifier = build()
    await outcome(verifier)
    del globus.documents["alice-token"]
    time.advance(30.0)
    assert verifier.find_cached(BEARER) is None
    assert await outcome(verifier) == "AuthenticationFailed"


async def test_other_worker_believes_for_the_rest_of_the_thirty_seconds_only(
    build: Build, globus: ScriptedGlobus, time: ManualClock
) -> None:
    await outcome(build())
    time.advance(20.0)
    other = build()
    assert await outcome(other) == "ok"
    assert len(globus.introspected) == 1
    assert other.stats.shared_hits == 1
    del globus.documents["alice-token"]
    time.advance(10.0)
    assert await outcome(other) == "AuthenticationFailed"


async def test_shared_entry_of_another_secret_is_not_believed(build: Build, globus: ScriptedGlobus) -> None:
    await outcome(build())
    assert await outcome(build(secret=b"another secret")) == "ok"
    assert len(globus.introspected) == 2


async def test_token_is_refused_at_its_end_without_waiting_for_the_bound(
    build: Build, globus: ScriptedGlobus, time: ManualClock
) -> None:
    globus.documents["alice-token"] = build_document(exp=NOON + 12)
    verifier = build()
    assert await outcome(verifier) == "ok"
    time.advance(12.0)
    assert await outcome(verifier) == "AuthenticationFailed"


async def test_inactive_token_is_asked_for_again_after_ten_seconds(
    build: Build, globus: ScriptedGlobus, time: ManualClock
) -> None:
    verifier = build()
    assert await outcome(verifier, "Bearer fresh") == "AuthenticationFailed"
    globus.documents["fresh"] = build_document()
    time.advance(9.9)
    assert await outcome(verifier, "Bearer fresh") == "AuthenticationFailed"
    assert len(globus.introspected) == 1
    time.advance(0.1)
    assert await outcome(verifier, "Bearer fresh") == "ok"


async def test_outage_is_never_remembered_as_a_denial(build: Build, globus: ScriptedGlobus) -> None:
    verifier = build()
    globus.failure = AWAY
    with pytest.raises(AuthUnavailable) as caught:
        await verifier.authenticate(BEARER, ADDRESS)
    assert 1 <= int(caught.value.headers["retry-after"]) <= 60
    globus.failure = None
    assert await outcome(verifier) == "ok"


async def test_known_token_outlives_globus_for_five_minutes(
    build: Build, globus: ScriptedGlobus, time: ManualClock
) -> None:
    verifier = build()
    await outcome(verifier)
    globus.failure = AWAY
    for _ in range(9):
        time.advance(33.0)
        assert await outcome(verifier) == "ok"
    time.advance(3.0)
    assert await outcome(verifier) == "AuthUnavailable"
    assert verifier.stats.stale_served >= 9


async def test_other_worker_serves_a_known_token_while_globus_is_away(
    build: Build, globus: ScriptedGlobus, time: ManualClock
) -> None:
    await outcome(build())
    globus.failure = AWAY
    time.advance(120.0)
    assert await outcome(build()) == "ok"


async def test_revocation_is_seen_soon_after_globus_is_back(
    build: Build, globus: ScriptedGlobus, time: ManualClock
) -> None:
    verifier = build()
    await outcome(verifier)
    globus.failure = AWAY
    time.advance(31.0)
    assert await outcome(verifier) == "ok"
    globus.failure = None
    del globus.documents["alice-token"]
    time.advance(5.0)
    assert await outcome(verifier) == "AuthenticationFailed"


async def test_expired_token_does_not_outlive_globus(build: Build, globus: ScriptedGlobus, time: ManualClock) -> None:
    globus.documents["alice-token"] = build_document(exp=NOON + 60)
    verifier = build()
    await outcome(verifier)
    globus.failure = AWAY
    time.advance(61.0)
    assert await outcome(verifier) == "AuthUnavailable"


async def test_high_assurance_leaves_no_grace(build: Build, globus: ScriptedGlobus, time: ManualClock) -> None:
    globus.documents["alice-token"] = build_document(policy_evaluations={POLICY: {"evaluation": True}})
    verifier = build(policy_ids=frozenset({POLICY}))
    assert await outcome(verifier) == "ok"
    globus.failure = AWAY
    time.advance(29.0)
    assert await outcome(verifier) == "ok"
    time.advance(1.0)
    assert await outcome(verifier) == "AuthUnavailable"


async def test_high_assurance_ends_with_the_age_of_the_login(
    build: Build, globus: ScriptedGlobus, time: ManualClock
) -> None:
    verifier = build(assurance_timeout_s=3610.0)  # Alice's login is an hour old
    assert await outcome(verifier) == "ok"
    time.advance(10.0)
    assert await outcome(verifier) == "ReauthenticationRequired"


async def test_garbage_from_globus_is_an_outage(build: Build, globus: ScriptedGlobus) -> None:
    verifier = build()
    for garbage in (
        "<html>",
        {},
        {"active": "yes"},
        {"active": True},
        build_document(exp="soon"),
        build_document(sub=7),
    ):
        globus.documents["alice-token"] = garbage
        assert await outcome(verifier) == "AuthUnavailable"
        verifier = build()


async def test_many_at_once_make_one_call(build: Build, globus: ScriptedGlobus) -> None:
    verifier = build()
    globus.gate.clear()
    waiters = [asyncio.create_task(outcome(verifier)) for _ in range(50)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiters[0].cancel()
    globus.gate.set()
    results = await asyncio.gather(*waiters, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1:] == ["ok"] * 49
    assert globus.introspected == ["alice-token"]


async def test_flood_of_unknown_tokens_is_held_back_and_known_tokens_are_not(
    build: Build, globus: ScriptedGlobus, time: ManualClock
) -> None:
    verifier = build()
    await outcome(verifier)
    time.advance(31.0)
    asked_before = len(globus.introspected)
    refusals = []
    for number in range(2000):
        try:
            await verifier.authenticate(f"Bearer made-up-{number}", f"198.51.100.{number % 250}")
        except GatewayError as exc:
            refusals.append(type(exc))
    assert AuthUnavailable in refusals
    assert await outcome(verifier) == "ok"
    assert len(globus.introspected) - asked_before <= 50


async def test_one_address_is_told_that_it_is_too_fast(build: Build) -> None:
    verifier = build(outbound_per_s=10_000.0)
    for number in range(20):
        assert await outcome(verifier, f"Bearer made-up-{number}") == "AuthenticationFailed"
    with pytest.raises(RateLimited) as caught:
        await verifier.authenticate("Bearer made-up-20", ADDRESS)
    assert caught.value.headers["retry-after"] == "1"
    assert await outcome(verifier, "Bearer made-up-0") == "AuthenticationFailed"


async def test_required_group_lets_members_in(build: Build) -> None:
    assert await outcome(build(group_ids=frozenset({GROUP, OTHER_GROUP}))) == "ok"


async def test_required_group_keeps_others_out(build: Build) -> None:
    verifier = build(group_ids=frozenset({OTHER_GROUP}))
    assert await outcome(verifier) == "AccessDenied"
    assert verifier.find_cached(BEARER) is None


async def test_groups_are_not_asked_for_without_need(build: Build, globus: ScriptedGlobus) -> None:
    caller = await build().authenticate(BEARER, ADDRESS)
    assert globus.groups_asked == 0
    assert await caller.groups() == {GROUP}
    assert await caller.groups() == {GROUP}
    assert globus.groups_asked == 1


async def test_removal_from_a_group_shows_within_a_minute(
    build: Build, globus: ScriptedGlobus, time: ManualClock
) -> None:
    verifier = build(group_ids=frozenset({GROUP}))
    assert await outcome(verifier) == "ok"
    globus.groups["alice-token"] = []
    time.advance(59.0)
    assert await outcome(verifier) == "ok"
    time.advance(1.0)
    assert await outcome(verifier) == "AccessDenied"


async def test_groups_outlive_an_outage_for_five_minutes(
    build: Build, globus: ScriptedGlobus, time: ManualClock
) -> None:
    verifier = build()
    caller = await verifier.authenticate(BEARER, ADDRESS)
    await caller.groups()
    globus.group_failure = AWAY
    time.advance(299.0)
    assert await caller.groups() == {GROUP}
    time.advance(1.0)
    with pytest.raises(AuthUnavailable):
        await caller.groups()


async def test_groups_that_cannot_be_asked_are_not_no_groups(build: Build, globus: ScriptedGlobus) -> None:
    globus.group_failure = AWAY
    assert await outcome(build(group_ids=frozenset({GROUP}))) == "AuthUnavailable"


async def test_missing_consent_names_the_scope_to_ask_for(build: Build, globus: ScriptedGlobus) -> None:
    globus.group_failure = ConsentMissing([])
    caller = await build().authenticate(BEARER, ADDRESS)
    with pytest.raises(ReauthenticationRequired) as caught:
        await caller.groups()
    document = caught.value.envelope()
    assert document["code"] == "ConsentRequired"
    assert document["authorization_parameters"] == {
        "session_message": caught.value.message,
        "required_scopes": [f"https://auth.globus.org/scopes/{GATEWAY}/action_all[{GROUPS_SCOPE}]"],
    }


async def test_token_that_ends_between_the_two_questions_is_unauthorized(build: Build, globus: ScriptedGlobus) -> None:
    globus.group_failure = TokenRefused("gone")
    caller = await build().authenticate(BEARER, ADDRESS)
    with pytest.raises(AuthenticationFailed):
        await caller.groups()


async def test_refusal_is_denied_each_time_without_asking_again(build: Build, globus: ScriptedGlobus) -> None:
    verifier = build(authorized_idps={"Elsewhere": OTHER_GROUP})
    for _ in range(3):
        with pytest.raises(AccessDenied):
            await verifier.authenticate(BEARER, ADDRESS)
    assert len(globus.introspected) == 1


async def test_token_and_secret_are_in_no_log_and_no_repr(
    build: Build, globus: ScriptedGlobus, caplog: pytest.LogCaptureFixture
) -> None:
    verifier = build()
    with caplog.at_level(logging.DEBUG):
        caller = await verifier.authenticate(BEARER, ADDRESS)
        globus.failure = globus.group_failure = AWAY
        assert await outcome(verifier, "Bearer other-token") == "AuthUnavailable"
        with pytest.raises(AuthUnavailable):
            await caller.groups()
    shown = f"{caplog.text} {caller!r} {caller.principal!r} {build_settings()!r}"
    assert "not answered" in shown
    assert not [secret for secret in ("alice-token", "other-token", "s3cret") if secret in shown]


async def test_close_ends_what_waits(build: Build, globus: ScriptedGlobus) -> None:
    verifier = build()
    globus.gate.clear()
    waiter = asyncio.create_task(verifier.authenticate(BEARER, ADDRESS))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await verifier.aclose()
    with pytest.raises(asyncio.CancelledError):
        await waiter
