"""Who calls: a browser session, or a program with a Globus token. Both have the role of their Globus groups."""

from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from resource_server.domain.errors import AccessDenied
from resource_server.domain.principal import Principal
from resource_server.domain.roles import Role
from resource_server.identity.base import Caller
from resource_server.models import User
from resource_server.sign_in.pipeline import address_of, need_bridge
from resource_server.sign_in.visitors import find_or_make_user, give_role, visit


class CsrfFailed(PermissionDenied):
    """A change that a browser sent without the token of a page."""


class BearerToken(BaseAuthentication):
    """``Authorization: Bearer <Globus access token>``: the same rules and the same freshness as for inference."""

    def authenticate(self, request: Request) -> tuple[User, Caller] | None:
        """The caller's account, with the caller. Raises `GatewayError` for a token that lets nobody in."""
        authorization = request.META.get("HTTP_AUTHORIZATION")
        if authorization is None:
            return None
        page = request._request  # noqa: SLF001 - REST framework's documented way to Django's own
        visitor = visit(need_bridge(page), authorization, address_of(page))
        if visitor.caller is None:
            raise AccessDenied("This token names nobody.")
        account = _find_account(visitor.caller.principal, visitor.role)
        return give_role(account, visitor.role), visitor.caller

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - the base's signature
        """Makes "who are you" a 401, and leaves 403 to "not you"."""
        return "Bearer"


class BrowserSession(SessionAuthentication):
    """The session of the pages, with its CSRF token on every change."""

    def enforce_csrf(self, request: Request) -> None:
        """Raises `CsrfFailed`, whose message says what to send."""
        try:
            super().enforce_csrf(request)
        except PermissionDenied as exc:
            raise CsrfFailed from exc


def _find_account(principal: Principal, role: Role | None) -> User:
    """The identity's row. A program need not have signed in to have a role; who has none gets no row by knocking."""
    row = User.objects.filter(sub=principal.sub).first()
    if row is None:
        return find_or_make_user(principal, role) if role else User(sub=principal.sub, username=principal.username)
    if not row.is_active:
        raise AccessDenied("Your account here is closed: ask the operators.")
    return row
