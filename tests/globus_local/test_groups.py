from typing import Literal

import globus_sdk
import pytest

from .conftest import BOB_ID, COMPUTE_SCOPE, GROUPS_SCOPE, PREMIUM_ID, Local


def client_of(local: Local, name: str) -> globus_sdk.GroupsClient:
    return local.groups(local.admin.issue_token(f"{name}@site.example", GROUPS_SCOPE))


def test_my_groups_are_those_with_a_membership(local: Local) -> None:
    assert [group["name"] for group in client_of(local, "alice").get_my_groups()] == ["premium"]
    assert list(client_of(local, "bob").get_my_groups()) == []


@pytest.mark.parametrize("status", ["invited", "pending", "removed"])
def test_membership_shows_its_status(local: Local, status: Literal["invited", "pending", "removed"]) -> None:
    local.admin.set_member(PREMIUM_ID, "bob@site.example", status=status)
    client = client_of(local, "bob")

    (group,) = client.get_my_groups()
    assert [(each["identity_id"], each["status"]) for each in group["my_memberships"]] == [(BOB_ID, status)]
    assert list(client.get_my_groups(statuses="active")) == []
    assert [each["id"] for each in client.get_my_groups(statuses=["active", status])] == [PREMIUM_ID]


def test_membership_ends(local: Local) -> None:
    local.admin.set_member(PREMIUM_ID, BOB_ID)
    client = client_of(local, "bob")
    assert len(list(client.get_my_groups())) == 1

    local.admin.remove_member(PREMIUM_ID, BOB_ID)

    assert list(client.get_my_groups()) == []


def test_membership_of_a_linked_identity_counts(local: Local) -> None:
    other = local.admin.add_identity(username="bob@home.example", linked_ids=[BOB_ID])
    local.admin.set_member(PREMIUM_ID, other["id"])

    (group,) = client_of(local, "bob").get_my_groups()

    assert [each["identity_id"] for each in group["my_memberships"]] == [other["id"]]


def test_group_is_shown_to_members_only(local: Local) -> None:
    assert client_of(local, "alice").get_group(PREMIUM_ID)["name"] == "premium"
    with pytest.raises(globus_sdk.GroupsAPIError) as caught:
        client_of(local, "bob").get_group(PREMIUM_ID)
    assert caught.value.http_status == 404


def test_groups_refuse_tokens_for_others(local: Local) -> None:
    expired = local.admin.issue_token("alice@site.example", GROUPS_SCOPE, expires_in=-1)
    foreign = local.admin.issue_token("alice@site.example", COMPUTE_SCOPE)

    for token in (expired, foreign, "unknown"):
        with pytest.raises(globus_sdk.GroupsAPIError) as caught:
            local.groups(token).get_my_groups()
        assert caught.value.http_status == 401
