"""Issuing tokens, and the documents that the token route answers with."""

import base64
import hashlib
import secrets
from collections.abc import Iterable, Sequence
from typing import Any

from globus_local.auth.scopes import (
    OFFLINE_ACCESS,
    Scope,
    find_resource_server,
    list_dependents,
)
from globus_local.cloud import Cloud
from globus_local.errors import OAuthError
from globus_local.records import Grant, RefreshToken, Session, Token

TOKEN_BYTES = 36


def build_grants(
    cloud: Cloud, scopes: Iterable[Scope], *, client_id: str, sub: str, session: Session | None
) -> list[Grant]:
    """One grant per resource server, in the order in which the scopes name them.

    Raises:
        OAuthError: `invalid_scope`.
    """
    by_server: dict[str, list[Scope]] = {}
    for scope in scopes:
        if scope.name != OFFLINE_ACCESS:
            by_server.setdefault(find_resource_server(cloud, scope.name), []).append(scope)
    if not by_server:
        raise OAuthError("invalid_scope", "A scope of some resource server is required")
    return [
        Grant(
            client_id=client_id,
            sub=sub,
            resource_server=server,
            scopes=tuple(dict.fromkeys(scope.name for scope in of_server)),
            dependents=tuple(dict.fromkeys(name for scope in of_server for name in list_dependents(cloud, scope))),
            session=session,
        )
        for server, of_server in by_server.items()
    ]


def issue_token(cloud: Cloud, grant: Grant, *, offline: bool = False, lifetime_s: float | None = None) -> Token:
    """A new access token; with `offline`, a new refresh token as well."""
    refresh_value = None
    if offline:
        refresh_value = secrets.token_urlsafe(TOKEN_BYTES)
        cloud.refresh_tokens[refresh_value] = RefreshToken(value=refresh_value, grant=grant)
    return _issue(cloud, grant, refresh_value, lifetime_s)


def refresh_token(cloud: Cloud, refresh: RefreshToken) -> Token:
    """A new access token from a refresh token, which stays good."""
    return _issue(cloud, refresh.grant, refresh.value, None)


def _issue(cloud: Cloud, grant: Grant, refresh_value: str | None, lifetime_s: float | None) -> Token:
    now = cloud.clock.now()
    token = Token(
        value=secrets.token_urlsafe(TOKEN_BYTES),
        grant=grant,
        issued_at=now,
        expires_at=now + (cloud.token_lifetime_s if lifetime_s is None else lifetime_s),
        refresh_value=refresh_value,
    )
    cloud.tokens[token.value] = token
    return token


def revoke(cloud: Cloud, value: str) -> None:
    """Revoke an access token, or a refresh token with all access tokens that came of it."""
    if value in cloud.tokens:
        cloud.tokens[value].revoked = True
    if value in cloud.refresh_tokens:
        cloud.refresh_tokens[value].revoked = True
        for token in cloud.tokens.values():
            token.revoked = token.revoked or token.refresh_value == value


def build_token_document(token: Token) -> dict[str, Any]:
    """One token as the token route shows it."""
    document = {
        "access_token": token.value,
        "scope": " ".join(token.grant.scopes),
        "expires_in": round(token.expires_at - token.issued_at),
        "token_type": "Bearer",
        "resource_server": token.grant.resource_server,
    }
    return document if token.refresh_value is None else {**document, "refresh_token": token.refresh_value}


def build_answer(cloud: Cloud, tokens: Sequence[Token], *, nonce: str | None = None) -> dict[str, Any]:
    """The answer of the token route: the first token, the others below it, an id token where `openid` was granted."""
    first, *others = tokens
    answer = build_token_document(first)
    answer["other_tokens"] = [build_token_document(token) for token in others]
    for token in tokens:
        if "openid" in token.grant.scopes:
            answer["id_token"] = build_id_token(cloud, token, nonce, first.value)
    return answer


def build_id_token(cloud: Cloud, token: Token, nonce: str | None, beside: str) -> str:
    """A signed OpenID Connect id token about whom `token` was issued for; `beside` is its answer's access token."""
    identity = cloud.identities[token.sub]
    provider = cloud.providers[identity.provider_id]
    authentications = token.grant.session.authentications.values() if token.grant.session else ()
    claims: dict[str, Any] = {
        "iss": cloud.base_url,
        "aud": token.client_id,
        "sub": identity.id,
        "iat": int(token.issued_at),
        "exp": int(token.expires_at),
        "at_hash": _hash_half(beside),
        "preferred_username": identity.username,
        "name": identity.name,
        "email": identity.email,
        "organization": identity.organization,
        "identity_provider": provider.id,
        "identity_provider_display_name": provider.name,
        "last_authentication": int(max((each.auth_time for each in authentications), default=token.issued_at)),
    }
    return cloud.signing_key.sign(claims if nonce is None else {**claims, "nonce": nonce})


def build_audience(token: Token) -> list[str]:
    """Who may introspect the token: its resource server and the client it was issued to."""
    return list(dict.fromkeys((token.grant.resource_server, token.client_id)))


def _hash_half(access_token: str) -> str:
    """What binds an id token to the access token beside it (OpenID Connect Core 1.0, 3.1.3.6, for RS256)."""
    half = hashlib.sha256(access_token.encode()).digest()[:16]
    return base64.urlsafe_b64encode(half).rstrip(b"=").decode()
