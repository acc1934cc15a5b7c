"""`GET /v2/api/identities/{id}/consents`: what a person let the calling application do."""

import uuid
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from globus_local.auth.scopes import AUTH_RESOURCE_SERVER
from globus_local.cloud import CLOUD, Cloud
from globus_local.errors import forbidden
from globus_local.records import Token

Consent = dict[str, Any]


async def get_consents(request: web.Request) -> web.Response:
    """One root per granted scope, with what was granted below it (one level); ids count up within the answer."""
    cloud = request.app[CLOUD]
    caller = cloud.authenticate(request, resource_server=AUTH_RESOURCE_SERVER)
    if request.match_info["identity_id"] != caller.sub:
        raise forbidden("Consents are shown to the identity that gave them")
    consents: list[Consent] = []
    for scope, dependents in _collect_scopes(cloud, caller).items():
        root = _build_consent(cloud, caller, scope, len(consents) + 1, ())
        consents.append(root)
        for dependent in dependents:
            consents.append(_build_consent(cloud, caller, dependent, len(consents) + 1, (root["id"],)))
    return web.json_response({"consents": consents})


def _collect_scopes(cloud: Cloud, caller: Token) -> dict[str, tuple[str, ...]]:
    """What the caller's application was granted: each scope with its dependents."""
    scopes: dict[str, tuple[str, ...]] = {}
    for token in cloud.tokens.values():
        if token.sub == caller.sub and token.client_id == caller.client_id:
            for scope in token.grant.scopes:
                scopes[scope] = tuple(dict.fromkeys((*scopes.get(scope, ()), *token.grant.dependents)))
    return scopes


def _build_consent(cloud: Cloud, caller: Token, scope: str, consent_id: int, path: tuple[int, ...]) -> Consent:
    now = datetime.fromtimestamp(cloud.clock.now(), UTC).isoformat()
    return {
        "id": consent_id,
        "dependency_path": [*path, consent_id],
        "client": caller.client_id,
        "scope": str(uuid.uuid5(uuid.NAMESPACE_URL, scope)),
        "scope_name": scope,
        "effective_identity": caller.sub,
        "status": "approved",
        "allows_refresh": True,
        "auto_approved": False,
        "atomically_revocable": False,
        "created": now,
        "updated": now,
        "last_used": now,
    }
