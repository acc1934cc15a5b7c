"""Rules that cannot be decided: Globus Groups away, or not consented to."""

import pytest

from resource_server.domain.catalogue import FederatedRow, build_snapshot
from resource_server.domain.errors import AuthUnavailable, GatewayError, ModelNotFound, ReauthenticationRequired
from resource_server.services.access import known_groups, resolve, usable_models
from tests.personas import PREMIUM_GROUP_ID
from tests.unit.services.fakes import ALICE, FakeCaller, target

OPEN = target("open")
CLOSED = target("closed", allowed_globus_groups=[PREMIUM_GROUP_ID])
SNAPSHOT = build_snapshot((), (), [FederatedRow("b", "both", (CLOSED, OPEN)), FederatedRow("c", "closed", (CLOSED,))])
FAILURES = [AuthUnavailable("away"), ReauthenticationRequired("no consent")]


@pytest.mark.parametrize("failure", FAILURES)
async def test_place_without_rules_serves_while_groups_cannot_be_told(failure: GatewayError) -> None:
    places = await resolve(SNAPSHOT, FakeCaller(failure=failure), None, "both")
    assert [place.target.cluster for place in places] == ["open"]


@pytest.mark.parametrize("failure", FAILURES)
async def test_model_that_needs_groups_fails_as_groups_do(failure: GatewayError) -> None:
    with pytest.raises(type(failure)):
        await resolve(SNAPSHOT, FakeCaller(failure=failure), None, "closed")


@pytest.mark.parametrize("failure", FAILURES)
async def test_list_shows_what_can_be_called_while_groups_cannot_be_told(failure: GatewayError) -> None:
    groups = await known_groups(FakeCaller(failure=failure), SNAPSHOT.places())
    assert set(usable_models(SNAPSHOT.names(None), ALICE, groups)) == {"both"}


async def test_groups_open_every_place_of_the_group_and_no_other() -> None:
    assert len(await resolve(SNAPSHOT, FakeCaller(PREMIUM_GROUP_ID), None, "both")) == 2
    assert len(await resolve(SNAPSHOT, FakeCaller("another"), None, "both")) == 1
    with pytest.raises(ModelNotFound):
        await resolve(SNAPSHOT, FakeCaller("another"), None, "closed")
