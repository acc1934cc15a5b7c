"""Roles by groups, as a table."""

import pytest

from resource_server.domain.roles import Role, RoleGroups

GROUPS = RoleGroups(admins=frozenset({"a1", "a2"}), operators=frozenset({"o1"}))


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (set(), None),
        ({"other"}, None),
        ({"o1", "other"}, Role.OPERATOR),
        ({"a2"}, Role.ADMIN),
        ({"a1", "o1"}, Role.ADMIN),
    ],
)
def test_role_is_the_highest_that_the_groups_give(groups: set[str], role: Role | None) -> None:
    assert GROUPS.find_role(frozenset(groups)) == role


def test_without_groups_configured_nobody_has_a_role() -> None:
    assert RoleGroups().find_role(frozenset({"", "a1"})) is None
    assert not RoleGroups().is_used()
    assert GROUPS.is_used()
