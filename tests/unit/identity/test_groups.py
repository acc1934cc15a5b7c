"""When groups are asked for, how long they are believed, and what a lack of an answer means."""

import pytest

from resource_server.domain.errors import (
    AuthenticationFailed,
    AuthUnavailable,
    ReauthenticationRequired,
)
from resource_server.identity.base import ConsentMissing, TokenRefused
from resource_server.identity.settings import GROUPS_SCOPE
from tests.unit.identity.fakes import (
    ADDRESS,
    AWAY,
    BEARER,
    GATEWAY,
    GROUP,
    OTHER_GROUP,
    Build,
    ManualClock,
    ScriptedGlobus,
    outcome,
)


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


async def test_workers_share_groups_for_a_minute_in_all(
    build: Build, globus: ScriptedGlobus, time: ManualClock
) -> None:
    assert await outcome(build(group_ids=frozenset({GROUP}))) == "ok"
    globus.groups["alice-token"] = []
    time.advance(59.0)
    other = build(group_ids=frozenset({GROUP}))
    assert await outcome(other) == "ok"
    assert globus.groups_asked == 1
    time.advance(1.0)
    assert await outcome(other) == "AccessDenied"
