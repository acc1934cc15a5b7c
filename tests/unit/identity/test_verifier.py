"""Bounds of what is remembered of tokens: the invariant I1, in seconds of a clock that stands still."""

import asyncio
import logging

import pytest

from resource_server.domain.errors import (
    AccessDenied,
    AuthenticationFailed,
    AuthUnavailable,
    GatewayError,
    RateLimited,
)
from resource_server.identity.verifier import hash_token
from resource_server.state.memory import MemoryKeyValue
from tests.unit.identity.fakes import (
    ADDRESS,
    ALICE,
    AWAY,
    BEARER,
    NOON,
    OTHER_GROUP,
    POLICY,
    Build,
    ManualClock,
    ScriptedGlobus,
    build_document,
    build_settings,
    outcome,
)


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


async def test_expired_token_does_not_outlive_globus_without_shared_state(
    build: Build, globus: ScriptedGlobus, time: ManualClock, key_value: MemoryKeyValue
) -> None:
    globus.documents["alice-token"] = build_document(exp=NOON + 60)
    verifier = build()
    await outcome(verifier)
    await key_value.delete(f"identity:token:{hash_token('alice-token')}")
    globus.failure = AWAY
    time.advance(59.0)
    assert await outcome(verifier) == "ok"
    time.advance(2.0)
    assert await outcome(verifier) == "AuthUnavailable"


async def test_outage_does_not_bring_a_revoked_token_back(
    build: Build, globus: ScriptedGlobus, time: ManualClock
) -> None:
    verifier = build()
    await outcome(verifier)
    del globus.documents["alice-token"]
    time.advance(30.0)
    assert await outcome(verifier) == "AuthenticationFailed"
    globus.failure = AWAY
    time.advance(15.0)
    assert await outcome(verifier) == "AuthUnavailable"


async def test_grace_that_ends_while_globus_is_asked_is_over(
    build: Build, globus: ScriptedGlobus, time: ManualClock
) -> None:
    verifier = build()
    await outcome(verifier)
    globus.failure = AWAY
    time.advance(298.0)
    globus.gate.clear()
    asking = asyncio.create_task(outcome(verifier))
    await asyncio.sleep(0.01)
    time.advance(3.0)
    globus.gate.set()
    assert await asking == "AuthUnavailable"


async def test_outage_costs_nobody_their_turns(build: Build, globus: ScriptedGlobus) -> None:
    verifier = build()
    globus.failure = AWAY
    assert {await outcome(verifier, f"Bearer unknown-{number}") for number in range(100)} == {"AuthUnavailable"}
    assert len(globus.introspected) == 5


async def test_worker_with_other_policies_asks_for_itself(build: Build, globus: ScriptedGlobus) -> None:
    globus.documents["alice-token"] = build_document(policy_evaluations={})
    assert await outcome(build()) == "ok"
    globus.documents["alice-token"] = build_document(policy_evaluations={POLICY: {"evaluation": True}})
    assert await outcome(build(policy_ids=frozenset({POLICY}))) == "ok"


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
    assert verifier.stats.inactive + verifier.stats.held_back == 2000


async def test_one_address_is_told_that_it_is_too_fast(build: Build) -> None:
    verifier = build(outbound_per_s=10_000.0)
    for number in range(20):
        assert await outcome(verifier, f"Bearer made-up-{number}") == "AuthenticationFailed"
    with pytest.raises(RateLimited) as caught:
        await verifier.authenticate("Bearer made-up-20", ADDRESS)
    assert caught.value.headers["retry-after"] == "1"
    assert await outcome(verifier, "Bearer made-up-0") == "AuthenticationFailed"


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


async def test_belief_counts_from_the_question_not_from_the_answer(
    build: Build, globus: ScriptedGlobus, time: ManualClock
) -> None:
    verifier = build()
    globus.gate.clear()
    asking = asyncio.create_task(verifier.authenticate(BEARER, ADDRESS))
    await asyncio.sleep(0.01)
    time.advance(4.0)
    globus.gate.set()
    await asking
    time.advance(25.9)
    assert verifier.find_cached(BEARER) is not None
    time.advance(0.2)
    assert verifier.find_cached(BEARER) is None


async def test_flood_of_refused_tokens_pushes_no_good_token_out(build: Build) -> None:
    verifier = build(max_tokens=5, outbound_per_s=1e6, unknown_per_address_burst=1000)
    await outcome(verifier)
    for number in range(100):
        assert await outcome(verifier, f"Bearer made-up-{number}") == "AuthenticationFailed"
    assert verifier.find_cached(BEARER) is not None


async def test_token_with_an_odd_answer_does_not_keep_others_out(build: Build, globus: ScriptedGlobus) -> None:
    verifier = build()
    globus.documents["odd"] = {"active": True}
    for _ in range(10):
        assert await outcome(verifier, "Bearer odd") == "AuthUnavailable"
    assert await outcome(verifier) == "ok"


async def test_revoked_token_is_forgotten_by_all_who_share(build: Build, globus: ScriptedGlobus) -> None:
    verifier, other = build(), build()
    assert await outcome(verifier) == "ok"
    await verifier.revoke("alice-token")
    assert await outcome(verifier) != "ok"
    assert await outcome(other) != "ok"
    assert len(globus.introspected) >= 1


async def test_token_is_forgotten_even_if_globus_cannot_be_told(build: Build, globus: ScriptedGlobus) -> None:
    verifier = build()
    assert await outcome(verifier) == "ok"
    globus.failure = AWAY
    with pytest.raises(AuthUnavailable):
        await verifier.revoke("alice-token")
    assert verifier.find_cached(BEARER) is None
