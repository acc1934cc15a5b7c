"""Scopes that applications register: look up, create, change.

https://docs.globus.org/api/auth/reference/#clients_and_scopes_api; shapes as in `globus_sdk.testing`.
"""

import uuid
from typing import Any

from aiohttp import web

from globus_local.auth.scopes import GROUPS_SCOPE
from globus_local.cloud import CLOUD, Cloud
from globus_local.errors import bad_request, forbidden, not_found
from globus_local.forms import split_list
from globus_local.records import Client

_IDS = uuid.UUID("7e570000-0000-4000-8000-0000000005c0")


async def get_scopes(request: web.Request) -> web.Response:
    """`GET /v2/api/scopes?scope_strings=…`: those that exist; without a query the caller's own."""
    cloud = request.app[CLOUD]
    client = cloud.authenticate_client(request)
    asked = split_list(request.query.get("scope_strings", "")) or [_string(client, name) for name in client.scopes]
    known = _list_scopes(cloud)
    return web.json_response({"scopes": [known[scope] for scope in asked if scope in known]})


async def post_scope(request: web.Request) -> web.Response:
    """`POST /v2/api/clients/{id}/scopes`: by the client itself."""
    cloud = request.app[CLOUD]
    client = cloud.authenticate_client(request)
    if request.match_info["client_id"] != client.id:
        raise forbidden("Only the client itself, or its project's administrator, may do this")
    body = await _read_scope(request)
    suffix = body.get("scope_suffix")
    if not isinstance(suffix, str) or not suffix or not body.get("name") or not body.get("description"):
        raise bad_request("name, description and scope_suffix are required", "MISSING_PARAMETER")
    if suffix in client.scopes:
        raise bad_request(f"The scope {suffix} exists already", "DUPLICATE")
    client.scopes[suffix] = _read_dependents(cloud, body)
    return web.json_response({"scope": _list_scopes(cloud)[_string(client, suffix)]}, status=201)


async def put_scope(request: web.Request) -> web.Response:
    """`PUT /v2/api/scopes/{id}`: new dependent scopes."""
    cloud = request.app[CLOUD]
    client = cloud.authenticate_client(request)
    for name in client.scopes:
        if _id(_string(client, name)) == request.match_info["scope_id"]:
            client.scopes[name] = _read_dependents(cloud, await _read_scope(request))
            return web.json_response({"scope": _list_scopes(cloud)[_string(client, name)]})
    raise not_found("No such scope")


async def _read_scope(request: web.Request) -> dict[str, Any]:
    document = await request.json()
    body = document.get("scope") if isinstance(document, dict) else None
    if not isinstance(body, dict):
        raise bad_request("scope is required", "MISSING_PARAMETER")
    return body


def _read_dependents(cloud: Cloud, body: dict[str, Any]) -> tuple[str, ...]:
    strings = {document["id"]: string for string, document in _list_scopes(cloud).items()}
    asked = [item["scope"] for item in body.get("dependent_scopes", [])]
    if unknown := [item for item in asked if item not in strings]:
        raise bad_request(f"No such scope: {unknown[0]}")
    return tuple(strings[item] for item in asked)


def _list_scopes(cloud: Cloud) -> dict[str, dict[str, Any]]:
    """Documents by scope string: every application's, and the one of Groups that gateways depend on."""
    scopes = {GROUPS_SCOPE: _build_scope(GROUPS_SCOPE, "groups.api.globus.org", ())}
    for client in cloud.clients.values():
        for name, dependents in client.scopes.items():
            scopes[_string(client, name)] = _build_scope(_string(client, name), client.id, dependents)
    return scopes


def _build_scope(string: str, client_id: str, dependents: tuple[str, ...]) -> dict[str, Any]:
    return {
        "id": _id(string),
        "scope_string": string,
        "client": client_id,
        "name": string.rpartition("/")[2],
        "description": "",
        "allows_refresh_token": True,
        "advertised": False,
        "required_domains": [],
        "dependent_scopes": [
            {"scope": _id(dependent), "optional": False, "requires_refresh_token": False} for dependent in dependents
        ],
    }


def _string(client: Client, name: str) -> str:
    return f"https://auth.globus.org/scopes/{client.id}/{name}"


def _id(string: str) -> str:
    return str(uuid.uuid5(_IDS, string))
