"""Identities and identity providers: userinfo, `/v2/api/identities`, `/v2/api/identity_providers`."""

from typing import Any

from aiohttp import web

from globus_local.auth.scopes import AUTH_RESOURCE_SERVER
from globus_local.cloud import CLOUD, Cloud, parse_basic
from globus_local.errors import bad_request, not_found
from globus_local.forms import split_list
from globus_local.records import Identity, Provider


def list_identity_set(cloud: Cloud, sub: str) -> list[Identity]:
    """The identity itself, then those linked to it."""
    identity = cloud.identities[sub]
    return [identity, *(cloud.identities[linked_id] for linked_id in identity.linked_ids)]


def build_identity_detail(cloud: Cloud, identity: Identity) -> dict[str, Any]:
    """An entry of `identity_set_detail`, and of `identity_set` in userinfo."""
    provider = cloud.providers[identity.provider_id]
    return {
        "sub": identity.id,
        "username": identity.username,
        "name": identity.name,
        "email": identity.email,
        "organization": identity.organization,
        "identity_provider": provider.id,
        "identity_provider_display_name": provider.name,
        "identity_type": "login",
        "status": "used",
        "last_authentication": None,
    }


async def get_userinfo(request: web.Request) -> web.Response:
    """`GET /v2/oauth2/userinfo` → the claims about the caller."""
    cloud = request.app[CLOUD]
    token = cloud.authenticate(request, resource_server=AUTH_RESOURCE_SERVER, scope="openid")
    identity = cloud.identities[token.sub]
    details = [build_identity_detail(cloud, each) for each in list_identity_set(cloud, identity.id)]
    claims = {**details[0], "preferred_username": identity.username, "identity_set": details}
    return web.json_response(claims)


async def get_identities(request: web.Request) -> web.Response:
    """`GET /v2/api/identities?ids=…|usernames=…[&include=identity_provider]`."""
    cloud = request.app[CLOUD]
    check_caller(cloud, request)
    if "ids" not in request.query and "usernames" not in request.query:
        raise bad_request("One of ids and usernames is required")
    ids = set(split_list(request.query.get("ids", "")))
    usernames = {name.lower() for name in split_list(request.query.get("usernames", ""))}
    found = [each for each in cloud.identities.values() if each.id in ids or each.username.lower() in usernames]
    answer: dict[str, Any] = {"identities": [build_identity(each) for each in found]}
    if "identity_provider" in split_list(request.query.get("include", "")):
        provider_ids = dict.fromkeys(each.provider_id for each in found)
        providers = [build_provider(cloud.providers[provider_id]) for provider_id in provider_ids]
        answer["included"] = {"identity_providers": providers}
    return web.json_response(answer)


async def get_identity(request: web.Request) -> web.Response:
    """`GET /v2/api/identities/{id}`."""
    cloud = request.app[CLOUD]
    check_caller(cloud, request)
    identity = cloud.identities.get(request.match_info["identity_id"])
    if identity is None:
        raise not_found("No such identity")
    return web.json_response({"identity": build_identity(identity)})


async def get_identity_providers(request: web.Request) -> web.Response:
    """`GET /v2/api/identity_providers?ids=…|domains=…`."""
    cloud = request.app[CLOUD]
    check_caller(cloud, request)
    ids = set(split_list(request.query.get("ids", "")))
    domains = set(split_list(request.query.get("domains", "")))
    found = [each for each in cloud.providers.values() if each.id in ids or domains.intersection(each.domains)]
    return web.json_response({"identity_providers": [build_provider(provider) for provider in found]})


def check_caller(cloud: Cloud, request: web.Request) -> None:
    """Allow confidential clients, and whoever has a token for Auth.

    Raises:
        ServiceError: 401.
    """
    if parse_basic(request):
        cloud.authenticate_client(request)
    else:
        cloud.authenticate(request, resource_server=AUTH_RESOURCE_SERVER)


def build_identity(identity: Identity) -> dict[str, Any]:
    """The identity as `/v2/api/identities` shows it."""
    return {
        "id": identity.id,
        "username": identity.username,
        "name": identity.name,
        "email": identity.email,
        "organization": identity.organization,
        "identity_provider": identity.provider_id,
        "identity_type": "login",
        "status": "used",
    }


def build_provider(provider: Provider) -> dict[str, Any]:
    """The provider as `/v2/api/identity_providers` shows it."""
    return {
        "id": provider.id,
        "name": provider.name,
        "short_name": provider.name.lower().replace(" ", "_"),
        "alternative_names": [],
        "domains": list(provider.domains),
    }
