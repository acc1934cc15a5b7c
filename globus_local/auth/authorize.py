"""`/v2/oauth2/authorize`: somebody logs in and lets an application act for them (RFC 6749, 4.1; 7636; OpenID Connect).

Every login is a fresh one: there is no browser session that would be taken up again, so `prompt=login` is always met.
"""

import secrets
import uuid
from dataclasses import dataclass

from aiohttp import web
from yarl import URL

from globus_local.auth.pages import build_code_page, build_error_page, build_login_page
from globus_local.auth.requirements import Requirement, find_login, parse_requirement
from globus_local.auth.scopes import OFFLINE_ACCESS, Scope, parse_scopes
from globus_local.auth.tokens import build_grants
from globus_local.cloud import CLIENT_PROVIDER_ID, CLOUD, Cloud
from globus_local.errors import OAuthError
from globus_local.forms import read_form
from globus_local.loopback import is_loopback
from globus_local.records import Client, Code, Identity, Session
from globus_local.seed import SeedError, get_identity

CODE_LIFETIME_S = 600
AUTH_CODE_PATH = "/v2/web/auth-code"
REAL_AUTH_CODE_URL = f"https://auth.globus.org{AUTH_CODE_PATH}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What an application asks for at the authorize page."""

    client: Client
    redirect_uri: str
    scopes: tuple[Scope, ...]
    offline: bool
    challenge: str | None
    nonce: str | None
    requirement: Requirement


async def get_authorize(request: web.Request) -> web.Response:
    """The login page; with `auto_approve=<username>` or the admin setting `auto_login`, straight back with a code."""
    return _answer(request, request.query.get("auto_approve") or request.app[CLOUD].auto_login)


async def post_authorize(request: web.Request) -> web.Response:
    """The choice made on the login page: `identity`, empty to deny."""
    form = await read_form(request)
    return _answer(request, form.get("identity", ""))


def _answer(request: web.Request, choice: str | None) -> web.Response:
    cloud = request.app[CLOUD]
    try:
        client, redirect_uri = _check_application(cloud, request)
    except OAuthError as exc:
        return build_error_page(exc.message, exc.status)
    try:
        wish = _parse_wish(cloud, request, client, redirect_uri)
        return _ask(cloud, request, wish) if choice is None else _approve(cloud, request, wish, choice)
    except OAuthError as exc:
        return _send_back(request, redirect_uri, error=exc.code, error_description=exc.message)


def _ask(cloud: Cloud, request: web.Request, wish: Wish) -> web.Response:
    people = _list_people(cloud, wish.requirement, request.query.get("login_hint", ""))
    return build_login_page(request.path_qs, wish.client, [scope.name for scope in wish.scopes], people)


async def get_auth_code(request: web.Request) -> web.Response:
    """`/v2/web/auth-code`: where native applications without a web server send people to read the code."""
    if "code" in request.query:
        return build_code_page(request.query["code"])
    return build_error_page(request.query.get("error_description", "There is no code in this address."), 400)


def _check_application(cloud: Cloud, request: web.Request) -> tuple[Client, str]:
    """Who asks, and the address to answer to. Nothing is sent to an address that is not theirs.

    Raises:
        OAuthError: to be shown, not to be sent back.
    """
    client = cloud.clients.get(request.query.get("client_id", ""))
    if client is None:
        raise OAuthError("invalid_client", "There is no application with this client_id.")
    redirect_uri = request.query.get("redirect_uri", "")
    if redirect_uri not in client.redirect_uris and not (client.kind == "native" and _is_native_redirect(redirect_uri)):
        raise OAuthError("invalid_request", f"redirect_uri {redirect_uri!r} is not registered for {client.name}.")
    return client, redirect_uri


def _is_native_redirect(redirect_uri: str) -> bool:
    """Native applications may always use the code page, and any port of the loopback interface (RFC 8252, 7.3)."""
    if redirect_uri == REAL_AUTH_CODE_URL:
        return True
    try:
        url = URL(redirect_uri)
    except ValueError:
        return False
    return url.scheme == "http" and is_loopback(url.host or "")


def _parse_wish(cloud: Cloud, request: web.Request, client: Client, redirect_uri: str) -> Wish:
    query = request.query
    if query.get("response_type") != "code":
        raise OAuthError("unsupported_response_type", "response_type must be code")
    challenge = query.get("code_challenge")
    if challenge and query.get("code_challenge_method") != "S256":
        raise OAuthError("invalid_request", "code_challenge_method must be S256")
    if client.kind == "native" and not challenge:
        raise OAuthError("invalid_request", "A native app must send a code_challenge")
    scopes = parse_scopes(query.get("scope", ""))
    build_grants(cloud, scopes, client_id=client.id, sub="", session=None)  # refuses unknown scopes before the login
    return Wish(
        client=client,
        redirect_uri=redirect_uri,
        scopes=scopes,
        offline=query.get("access_type") == "offline" or OFFLINE_ACCESS in {scope.name for scope in scopes},
        challenge=challenge,
        nonce=query.get("nonce"),
        requirement=parse_requirement(cloud, query),
    )


def _list_people(cloud: Cloud, requirement: Requirement, hint: str) -> list[Identity]:
    """Who could log in, the hinted one first; client identities have no login."""
    people = [each for each in cloud.identities.values() if each.provider_id != CLIENT_PROVIDER_ID]
    able = [each for each in people if find_login(cloud, each, requirement)]
    return sorted(able, key=lambda each: hint.lower() not in (each.id, each.username.lower()))


def _approve(cloud: Cloud, request: web.Request, wish: Wish, name: str) -> web.Response:
    if not name:
        raise OAuthError("access_denied", "The request was denied on the login page")
    try:
        person = get_identity(cloud, name)
    except SeedError as exc:
        raise OAuthError("access_denied", str(exc)) from exc
    login = find_login(cloud, person, wish.requirement)
    if login is None or person.provider_id == CLIENT_PROVIDER_ID:
        raise OAuthError("access_denied", f"{person.username} cannot meet what is required of the login")
    session = Session(id=str(uuid.uuid4()), authentications={login.sub: login})
    grants = build_grants(cloud, wish.scopes, client_id=wish.client.id, sub=person.id, session=session)
    code = Code(
        value=secrets.token_urlsafe(24),
        redirect_uri=wish.redirect_uri,
        grants=tuple(grants),
        offline=wish.offline,
        challenge=wish.challenge,
        nonce=wish.nonce,
        expires_at=cloud.clock.now() + CODE_LIFETIME_S,
    )
    cloud.codes[code.value] = code
    return _send_back(request, wish.redirect_uri, code=code.value)


def _send_back(request: web.Request, redirect_uri: str, **answer: str) -> web.Response:
    state = {"state": request.query["state"]} if "state" in request.query else {}
    local = AUTH_CODE_PATH if redirect_uri == REAL_AUTH_CODE_URL else redirect_uri
    return web.Response(status=302, headers={"Location": str(URL(local).update_query({**answer, **state}))})
