"""`POST /v2/oauth2/token/introspect`: what a resource server may learn of a token (RFC 7662 and Globus's own)."""

from collections.abc import Iterable
from typing import Any

from aiohttp import web

from globus_local.auth.people import build_identity_detail, list_identity_set
from globus_local.auth.policies import evaluate
from globus_local.auth.tokens import build_audience
from globus_local.cloud import CLOUD, Cloud
from globus_local.errors import bad_request, not_found
from globus_local.forms import read_form, split_list
from globus_local.records import Client, Session, Token


async def introspect(request: web.Request) -> web.Response:
    """Form: `token`, `include` (`session_info`, `identity_set`, `identity_set_detail`), `authentication_policies`."""
    cloud = request.app[CLOUD]
    client = cloud.authenticate_client(request)
    form = {**request.query, **await read_form(request)}
    if not form.get("token"):
        raise bad_request("token is required", "MISSING_PARAMETER")
    token = _find_visible(cloud, form["token"], client)
    if token is None:
        return web.json_response({"active": False})
    document = _build_document(cloud, token)
    document |= _build_inclusions(cloud, token, split_list(form.get("include", "")))
    if policy_ids := split_list(form.get("authentication_policies", "")):
        document["policy_evaluations"] = _evaluate(cloud, policy_ids, token.grant.session)
    return web.json_response(document)


def _find_visible(cloud: Cloud, value: str, client: Client) -> Token | None:
    """A token that is good, and that this client is an audience of; of others it learns nothing."""
    token = cloud.tokens.get(value)
    if token is None or not token.is_active(cloud.clock.now()) or client.id not in build_audience(token):
        return None
    return token


def _build_document(cloud: Cloud, token: Token) -> dict[str, Any]:
    identity = cloud.identities[token.sub]
    return {
        "active": True,
        "token_type": "Bearer",
        "scope": " ".join(token.grant.scopes),
        "client_id": token.client_id,
        "sub": identity.id,
        "username": identity.username,
        "name": identity.name,
        "email": identity.email,
        "aud": build_audience(token),
        "iss": "https://auth.globus.org",
        "exp": int(token.expires_at),
        "iat": int(token.issued_at),
        "nbf": int(token.issued_at),
    }


def _build_inclusions(cloud: Cloud, token: Token, wanted: Iterable[str]) -> dict[str, Any]:
    identities = list_identity_set(cloud, token.sub)
    builders: dict[str, Any] = {
        "session_info": lambda: build_session_info(token.grant.session),
        "identity_set": lambda: [identity.id for identity in identities],
        "identity_set_detail": lambda: [build_identity_detail(cloud, identity) for identity in identities],
    }
    return {name: builders[name]() for name in wanted if name in builders}


def build_session_info(session: Session | None) -> dict[str, Any]:
    """`{session_id, authentications{<sub>{idp, auth_time, amr, acr}}}`; empty for client identities."""
    authentications = session.authentications if session else {}
    return {
        "session_id": session.id if session else None,
        "authentications": {
            sub: {
                "idp": each.idp,
                "auth_time": int(each.auth_time),
                "amr": list(each.amr),
                "acr": each.acr,
                "custom_claims": {},
            }
            for sub, each in authentications.items()
        },
    }


def _evaluate(cloud: Cloud, policy_ids: Iterable[str], session: Session | None) -> dict[str, Any]:
    unknown = [policy_id for policy_id in policy_ids if policy_id not in cloud.policies]
    if unknown:
        raise not_found(f"No such authentication policy: {unknown[0]}")
    return {policy_id: {"evaluation": evaluate(cloud, cloud.policies[policy_id], session)} for policy_id in policy_ids}
