"""Tokens without a login: for tests and demos."""

import uuid
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from globus_local.admin.bodies import find_number, read_json, refusing_bad_records
from globus_local.auth.scopes import parse_scopes
from globus_local.auth.tokens import build_answer, build_grants, issue_token, revoke
from globus_local.cloud import CLIENT_PROVIDER_ID, CLOUD, Cloud
from globus_local.errors import bad_request
from globus_local.records import Authentication, Identity, RefreshToken, Session, Token
from globus_local.seed import SeedError, get_identity


async def post_token(request: web.Request) -> web.Response:
    """Issue tokens as a login would; answers what the token route answers.

    Body: `{identity, client_id?, scope, expires_in?, refresh_tokens?, session?}`. `identity` is an id or a username;
    `client_id` the application it is issued to (the identity's own client, else the first native one);
    `expires_in` in seconds, negative for one that has expired; `session` is `null` for none, or a list of
    `{identity?, idp?, auth_time?, amr?, acr?}`, one per login (one login of `identity`, now, by default).
    """
    cloud = request.app[CLOUD]
    body = await read_json(request)
    with refusing_bad_records():
        identity = get_identity(cloud, str(body.get("identity", "")))
        client_id = body.get("client_id") or _find_client_id(cloud, identity)
        session = _build_session(cloud, identity, body)
    scopes = parse_scopes(str(body.get("scope", "")))
    grants = build_grants(cloud, scopes, client_id=client_id, sub=identity.id, session=session)
    offline, lifetime_s = bool(body.get("refresh_tokens")), find_number(body, "expires_in")
    tokens = [issue_token(cloud, grant, offline=offline, lifetime_s=lifetime_s) for grant in grants]
    return web.json_response(build_answer(cloud, tokens))


def _find_client_id(cloud: Cloud, identity: Identity) -> str:
    candidates = [client.id for client in cloud.clients.values() if identity.id == client.id or client.kind == "native"]
    if not candidates:
        raise SeedError("client_id is needed: there is no native client that a token could be issued to")
    return identity.id if identity.id in candidates else candidates[0]


def _build_session(cloud: Cloud, identity: Identity, body: Mapping[str, Any]) -> Session | None:
    default: list[Any] | None = None if identity.provider_id == CLIENT_PROVIDER_ID else [{}]
    logins = body.get("session", default)
    if logins is None:
        return None
    authentications = [_build_authentication(cloud, identity, login) for login in logins]
    return Session(id=str(uuid.uuid4()), authentications={each.sub: each for each in authentications})


def _build_authentication(cloud: Cloud, identity: Identity, login: Mapping[str, Any]) -> Authentication:
    who = get_identity(cloud, login["identity"]) if "identity" in login else identity
    auth_time = find_number(login, "auth_time")
    return Authentication(
        sub=who.id,
        idp=login.get("idp", who.provider_id),
        auth_time=cloud.clock.now() if auth_time is None else auth_time,
        amr=tuple(login.get("amr", ("pwd",))),
        acr=login.get("acr"),
    )


async def post_revoke(request: web.Request) -> web.Response:
    """`{token}` revokes one token; `{identity, client_id?}` all of theirs, or those issued to one application."""
    cloud = request.app[CLOUD]
    body = await read_json(request)
    if not {"token", "identity"} & set(body):
        raise bad_request("token or identity is required")
    if "token" in body:
        revoke(cloud, str(body["token"]))
    if "identity" in body:
        with refusing_bad_records():
            _revoke_all(cloud, get_identity(cloud, str(body["identity"])), body.get("client_id"))
    return web.Response(status=204)


def _revoke_all(cloud: Cloud, identity: Identity, client_id: str | None) -> None:
    records: list[Token | RefreshToken] = [*cloud.tokens.values(), *cloud.refresh_tokens.values()]
    for record in records:
        if record.grant.sub == identity.id and client_id in {None, record.grant.client_id}:
            record.revoked = True
