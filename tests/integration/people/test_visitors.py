"""The rows of people who come by Globus."""

import dataclasses
import uuid

import pytest

from resource_server.domain.errors import AccessDenied
from resource_server.domain.principal import Principal
from resource_server.domain.roles import Role
from resource_server.models import User
from resource_server.sign_in.permissions import OPERATOR
from resource_server.sign_in.visitors import find_or_make_user, give_role

pytestmark = pytest.mark.django_db

ALICE = Principal(
    sub=str(uuid.uuid4()),
    username="alice@site.example.org",
    name="Alice",
    email="alice@site.example.org",
    client_id=str(uuid.uuid4()),
    is_client=False,
    identity_ids=frozenset(),
    identity_provider_ids=frozenset(),
    domains=frozenset({"site.example.org"}),
    token_hash="0" * 64,
    expires_at=0.0,
)


def test_row_is_found_by_identity_and_follows_the_names() -> None:
    first = find_or_make_user(ALICE, Role.ADMIN)
    renamed = dataclasses.replace(ALICE, username="alice@new.example.org", name="Alice B.")
    again = find_or_make_user(renamed)
    assert again.pk == first.pk
    assert (again.username, again.first_name, again.role_at_sign_in) == ("alice@new.example.org", "Alice B.", "")
    assert not again.has_usable_password()


def test_name_of_somebody_else_is_not_taken_over() -> None:
    local = User.objects.create_superuser(ALICE.username, password="x")
    row = find_or_make_user(ALICE)
    assert row.pk != local.pk
    assert row.username == f"{ALICE.username} ({ALICE.sub})"
    long = dataclasses.replace(ALICE, sub=str(uuid.uuid4()), username="a" * 300)
    assert len(find_or_make_user(long).username) == 150


def test_closed_account_stays_out() -> None:
    find_or_make_user(ALICE)
    User.objects.update(is_active=False)
    with pytest.raises(AccessDenied):
        find_or_make_user(ALICE)


@pytest.mark.parametrize("role", [None, Role.OPERATOR, Role.ADMIN])
def test_role_is_of_the_object_and_never_of_the_row(role: Role | None) -> None:
    user = give_role(find_or_make_user(ALICE, role), role)
    stored = User.objects.get(pk=user.pk)
    assert (stored.is_staff, stored.is_superuser) == (False, False)
    assert not any(stored.has_perm(name) for name in OPERATOR)
    assert all(user.has_perm(name) for name in OPERATOR) == (role is not None)
    assert user.has_perm("resource_server.add_user") == (role is Role.ADMIN)
    assert user.has_module_perms("resource_server") == (role is not None)
    assert not (role is Role.OPERATOR and user.has_module_perms("auth"))
