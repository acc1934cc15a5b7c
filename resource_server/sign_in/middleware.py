"""Who looks at a page, found out before the page is made: on every request, within the bounds of the API's caches."""

import logging
from collections.abc import Callable
from urllib.parse import urlencode

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from resource_server.domain.errors import AuthenticationFailed, AuthUnavailable, GatewayError, RateLimited
from resource_server.models import User
from resource_server.sign_in.callers import Visitor, role_of_account
from resource_server.sign_in.pages import refuse
from resource_server.sign_in.pipeline import address_of, need_bridge
from resource_server.sign_in.sessions import find_token, is_of_globus, is_over
from resource_server.sign_in.visitors import give_role, visit

logger = logging.getLogger(__name__)


class SignInMiddleware:
    """Puts `visitor` beside `user` on the request. Stands behind Django's `AuthenticationMiddleware`.

    A token that Globus no longer honours, a group that somebody has left, a provider that is no longer authorized:
    each takes the pages away as soon as the API would refuse the same token, and never later. While Globus cannot be
    asked, what it said last holds for 300 s at most; then nobody is let in until it can.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            request.visitor = _find_visitor(request)  # type: ignore[attr-defined]
        except AuthenticationFailed:
            return _end(request)
        except (AuthUnavailable, RateLimited) as error:
            if request.path != reverse("sign_out"):  # which needs no answer of Globus
                return refuse(request, error)
        except GatewayError as error:
            logger.info("session_refused code=%s", error.code)
            logout(request)
            return refuse(request, error)
        return self._get_response(request)


def _find_visitor(request: HttpRequest) -> Visitor | None:
    """Raises `GatewayError`; `AuthenticationFailed` where the session is over."""
    user = request.user
    if not isinstance(user, User):
        return None
    if not is_of_globus(request.session):
        if is_over(request.session):
            raise AuthenticationFailed("The session is over.")
        return Visitor(None, role_of_account(user))
    give_role(user, None)  # whatever comes next
    token = find_token(request.session)
    if token is None or is_over(request.session):
        raise AuthenticationFailed("The session is over.")
    visitor = visit(need_bridge(request), f"Bearer {token}", address_of(request))
    if visitor.caller is None or visitor.caller.principal.sub != str(user.sub):
        raise AuthenticationFailed("The session is somebody else's.")
    give_role(user, visitor.role)
    return visitor


def _end(request: HttpRequest) -> HttpResponse:
    """The session is over: to where one signs in, and back to the page if it can be asked for again."""
    logout(request)
    again = {"next": request.get_full_path()} if request.method == "GET" else {}
    return HttpResponseRedirect(f"{reverse('sign_in')}?{urlencode({'ended': 1, **again})}")
