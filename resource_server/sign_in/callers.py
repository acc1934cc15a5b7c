"""Who looks at a page, for views: the caller that the access rules know, and the role.

The middleware (`sign_in.middleware`) has found both before a view runs; these functions ask nobody.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec, TypeAlias, cast
from urllib.parse import urlencode

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from resource_server.domain.roles import Role
from resource_server.identity.base import Caller
from resource_server.models import AuditEvent, User
from resource_server.services.audit import Actor
from resource_server.sign_in.bridge import REQUEST_ID_KEY

P = ParamSpec("P")
View: TypeAlias = Callable[Concatenate[HttpRequest, P], HttpResponse]


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who has signed in.

    Attributes:
        caller: their Globus identity; `None` for a local account, which no access rule of the catalogue knows.
        role: what they may do beyond using the service.
    """

    caller: Caller | None
    role: Role | None


def find_visitor(request: HttpRequest) -> Visitor | None:
    """Who has signed in; `None` where nobody has."""
    visitor = getattr(request, "visitor", None)
    if visitor is None and isinstance(request.user, User) and request.user.is_active:
        return Visitor(None, role_of_account(request.user))
    return cast("Visitor | None", visitor)


def caller_of(request: HttpRequest) -> Caller | None:
    """The caller whose access rules hold for this browser session, exactly as with a bearer token.

    `None` where nobody has signed in, and for a local account. Its ``groups()`` belongs on the event loop:
    ``find_bridge(request).run(caller.groups())``.
    """
    visitor = find_visitor(request)
    return visitor.caller if visitor else None


def role_of(request: HttpRequest) -> Role | None:
    """What the person may do beyond using the service; `None` for nothing."""
    visitor = find_visitor(request)
    return visitor.role if visitor else None


def role_of_account(user: User | AnonymousUser) -> Role | None:
    """The role of a local account, which its own row gives."""
    if not user.is_active or not user.is_staff:
        return None
    return Role.ADMIN if user.is_superuser else Role.OPERATOR


def actor_of(request: HttpRequest, source: AuditEvent.Source) -> Actor:
    """The person behind the request, for the audit."""
    user = request.user if isinstance(request.user, User) else None
    request_id = str(getattr(request, "scope", {}).get(REQUEST_ID_KEY, ""))
    return Actor(source, user, "" if user else "anonymous", request_id)


def needs_sign_in(view: View[P]) -> View[P]:
    """A view for people who have signed in; others are sent to sign in first."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if find_visitor(request) is None:
            return HttpResponseRedirect(f"{reverse('sign_in')}?{urlencode({'next': request.get_full_path()})}")
        return view(request, *args, **kwargs)

    return guarded


def needs_role(*roles: Role) -> Callable[[View[P]], View[P]]:
    """A view for people in one of these roles: others who have signed in get 403."""

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if role_of(request) not in roles:
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return needs_sign_in(guarded)

    return decorate
