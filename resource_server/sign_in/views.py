"""Signing in and out: a page, the way to Globus, the way back, and the end."""

import logging
from typing import cast

from django.contrib.auth import REDIRECT_FIELD_NAME, login, logout
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST, require_safe
from social_core.actions import do_auth, do_complete
from social_core.exceptions import (
    AuthCanceled,
    AuthCredentialError,
    AuthInputError,
    AuthSessionError,
    SocialAuthBaseException,
)
from social_core.storage import UserMixin

from resource_server.domain.errors import AccessDenied, AuthenticationFailed, AuthUnavailable, GatewayError
from resource_server.models import User
from resource_server.services.audit import Action, Actor, Source, record_event
from resource_server.sign_in.bridge import find_bridge
from resource_server.sign_in.callers import actor_of, find_visitor
from resource_server.sign_in.globus import GlobusSignIn, build_backend
from resource_server.sign_in.pages import refuse, show
from resource_server.sign_in.pipeline import address_of, revoke
from resource_server.sign_in.sessions import GLOBUS_BACKEND, begin_session, find_token

logger = logging.getLogger(__name__)


@never_cache
@require_safe
def sign_in(request: HttpRequest) -> HttpResponse:
    """Where people sign in, and see that they have."""
    onward = request.GET.get(REDIRECT_FIELD_NAME, "")
    context = {
        "visitor": find_visitor(request),
        "next": onward if _is_ours(request, onward) else "",
        "has_ended": "ended" in request.GET,
    }
    return show(request, "sign_in", context)


@never_cache
@require_POST
def begin(request: HttpRequest) -> HttpResponseBase:
    """To Globus. Whoever is signed in is signed out first: two identities never share a session."""
    if request.user.is_authenticated:
        _end_session(request)
    try:
        return do_auth(build_backend(request), redirect_name=REDIRECT_FIELD_NAME)
    except SocialAuthBaseException as error:
        return refuse(request, _translate(error))


@never_cache
@require_GET
def complete(request: HttpRequest) -> HttpResponseBase:
    """Back from Globus, with a code: state, nonce and PKCE bind it to the browser that was sent there."""
    try:
        return do_complete(build_backend(request), _log_in, user=None, redirect_name=REDIRECT_FIELD_NAME)
    except SocialAuthBaseException as error:
        return _refuse(request, _translate(error))
    except GatewayError as error:
        return _refuse(request, error)


@never_cache
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """The end of the browser session, and of its token at Globus."""
    _end_session(request)
    return HttpResponseRedirect(reverse("sign_in"))


def _log_in(backend: GlobusSignIn, user: User, _social_user: UserMixin) -> None:
    """A new session key, so that one that somebody planted before the sign-in is worth nothing."""
    request = cast("HttpRequest", backend.browser)
    login(request, user, backend=GLOBUS_BACKEND)
    begin_session(request.session, backend.token)
    record_event(actor_of(request, Source.SIGN_IN), Action.SIGN_IN, "session")


def _end_session(request: HttpRequest) -> None:
    token, bridge = find_token(request.session), find_bridge(request)
    if token and bridge:
        revoke(bridge, token)
    if isinstance(request.user, User):
        record_event(actor_of(request, Source.SIGN_IN), Action.SIGN_OUT, "session")
    logout(request)


def _refuse(request: HttpRequest, error: GatewayError) -> HttpResponse:
    if isinstance(error, AccessDenied) and error.principal:  # strangers' attempts are for the log, not for the database
        actor = Actor(
            Source.SIGN_IN, name=error.principal.username, request_id=actor_of(request, Source.SIGN_IN).request_id
        )
        record_event(actor, Action.REFUSED, "session", address_of(request))
    return refuse(request, error)


def _translate(error: SocialAuthBaseException) -> GatewayError:
    """The library's failures in our words: its own may quote what a stranger sent."""
    logger.warning("sign_in_failed code=%s stage=%s", error.code, error.stage)
    if isinstance(error, AuthCanceled):
        return AccessDenied("You did not allow the sign-in, so there is none.")
    if isinstance(error, AuthInputError | AuthSessionError | AuthCredentialError):
        return AuthenticationFailed("This sign-in did not begin in this browser, or is too old: begin it again.")
    return AuthUnavailable("Globus cannot be asked now: try again shortly.", retry_after_s=30)


def _is_ours(request: HttpRequest, address: str) -> bool:
    return url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())
