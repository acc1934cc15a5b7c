"""Scope strings: their grammar (`a b[c *d]`), and which resource server each belongs to.

https://docs.globus.org/guides/overviews/clients-scopes-and-consents/
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from globus_local.cloud import Cloud
from globus_local.errors import OAuthError

AUTH_RESOURCE_SERVER = "auth.globus.org"
COMPUTE_CLIENT_ID = "facd7ccc-c5f4-42aa-916b-a0e270e2c2a9"
COMPUTE_RESOURCE_SERVER = "funcx_service"
OPENID_SCOPES = frozenset({"openid", "profile", "email"})
OFFLINE_ACCESS = "offline_access"
GROUPS_SCOPE = "urn:globus:auth:scope:groups.api.globus.org:view_my_groups_and_memberships"

_TOKENS = re.compile(r"[\[\]*]|[^\s\[\]*]+")
_URN = re.compile(r"urn:globus:auth:scope:([^:]+):[\w:.-]+")
_URL = re.compile(r"https://auth\.globus\.org/scopes/([^/]+)/([\w.-]+)")


@dataclass(frozen=True, slots=True)
class Scope:
    """A requested scope and what is to hang below it.

    Attributes:
        optional: written with a `*`: not asked for by itself.
    """

    name: str
    optional: bool = False
    dependencies: tuple["Scope", ...] = ()


def parse_scopes(text: str) -> tuple[Scope, ...]:
    """Parse a space-separated list of scopes with their dependencies in brackets.

    Raises:
        OAuthError: `invalid_scope`.
    """
    words = iter(_TOKENS.findall(text))
    scopes = _parse_level(words, closing=None)
    if not scopes:
        raise OAuthError("invalid_scope", "At least one scope is required")
    return scopes


def _parse_level(words: Iterator[str], closing: str | None) -> tuple[Scope, ...]:
    scopes: list[Scope] = []
    optional = False
    for word in words:
        if word == closing and not optional:
            return tuple(scopes)
        if word == "*":
            optional = True
        elif word == "[" and scopes and not optional:
            scopes[-1] = Scope(scopes[-1].name, scopes[-1].optional, _parse_level(words, closing="]"))
        elif word in "[]":
            raise OAuthError("invalid_scope", f"Misplaced {word} among the scopes")
        else:
            scopes.append(Scope(word, optional))
            optional = False
    if closing or optional:
        raise OAuthError("invalid_scope", "The scopes end too early")
    return tuple(scopes)


def find_resource_server(cloud: Cloud, scope: str) -> str:
    """The resource server that a bare scope string belongs to.

    Raises:
        OAuthError: `invalid_scope`: nobody registered it.
    """
    if scope in OPENID_SCOPES or scope == OFFLINE_ACCESS:
        return AUTH_RESOURCE_SERVER
    if urn := _URN.fullmatch(scope):
        return urn[1]
    url = _URL.fullmatch(scope)
    if url and url[1] == COMPUTE_CLIENT_ID:
        return COMPUTE_RESOURCE_SERVER
    client = cloud.clients.get(url[1]) if url else None
    if url is None or client is None or url[2] not in client.scopes:
        raise OAuthError("invalid_scope", f"Unknown scope: {scope}")
    return client.id


def list_dependents(cloud: Cloud, scope: Scope) -> tuple[str, ...]:
    """What the scope's resource server may ask for: registered with the scope, or requested in brackets."""
    url = _URL.fullmatch(scope.name)
    client = cloud.clients.get(url[1]) if url else None
    registered = client.scopes.get(url[2], ()) if url and client else ()
    requested = tuple(dependency.name for dependency in scope.dependencies)
    for name in requested:
        find_resource_server(cloud, name)
    return tuple(dict.fromkeys(registered + requested))
