"""From a Globus token to a visitor: the rules of the door, the role by groups, the row of the person."""

from django.conf import settings

from resource_server.domain.errors import AccessDenied
from resource_server.domain.principal import Principal
from resource_server.domain.roles import Role, RoleGroups
from resource_server.domain.settings import Settings
from resource_server.identity.base import Caller
from resource_server.models import User
from resource_server.sign_in.bridge import Bridge
from resource_server.sign_in.callers import Visitor

_USERNAME_CHARS = 150


def build_role_groups(environment: Settings) -> RoleGroups:
    """The operator's decision about who has which role."""
    return RoleGroups(
        admins=frozenset(environment.items("ADMIN_GROUPS")),
        operators=frozenset(environment.items("OPERATOR_GROUPS")),
    )


def visit(bridge: Bridge, authorization: str, address: str) -> Visitor:
    """Who comes with this ``Authorization`` header: the same rules and the same freshness as for the API.

    Raises:
        GatewayError: as `Authenticator.authenticate` and `Caller.groups`; whoever cannot be asked about is not let in.
    """
    return bridge.run(_visit(bridge, authorization, address, build_role_groups(settings.ENVIRONMENT)))


async def _visit(bridge: Bridge, authorization: str, address: str, groups: RoleGroups) -> Visitor:
    caller: Caller = await bridge.gateway.authenticator.authenticate(authorization, address)
    role = groups.find_role(await caller.groups()) if groups.is_used() else None
    return Visitor(caller, role)


def find_or_make_user(principal: Principal, role: Role | None = None) -> User:
    """The row of a Globus identity, by its `sub`, with the names that Globus gives now.

    Raises:
        AccessDenied: the operators have closed the account.
    """
    row = User.objects.filter(sub=principal.sub).first()
    if row is None:
        row = User(sub=principal.sub)
        row.set_unusable_password()
    if not row.is_active:
        raise AccessDenied("Your account here is closed: ask the operators.")
    row.username = _free_username(principal)
    row.email = principal.email[:254]
    row.first_name, row.last_name = principal.name[:150], ""
    row.role_at_sign_in = role or ""
    row.save()
    return row


def give_role(user: User, role: Role | None) -> User:
    """Let this object, not its row, have the role, for the length of one request: Globus may take it away."""
    user.role = role
    user.is_staff = role is not None
    user.is_superuser = role is Role.ADMIN
    return user


def _free_username(principal: Principal) -> str:
    """The Globus username; a name that another row has already gets the identity's UUID behind it."""
    username = principal.username[:_USERNAME_CHARS]
    is_taken = User.objects.filter(username=username).exclude(sub=principal.sub).exists()
    return f"{username[: _USERNAME_CHARS - 39]} ({principal.sub})" if is_taken else username
