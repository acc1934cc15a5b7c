"""What Auth tells about itself: policies, clients, OpenID configuration and keys."""

from typing import Any

from aiohttp import web

from globus_local.auth.people import check_caller
from globus_local.auth.policies import build_document
from globus_local.cloud import CLOUD
from globus_local.errors import not_found
from globus_local.keys import ALGORITHM
from globus_local.records import Client


async def get_policies(request: web.Request) -> web.Response:
    """`GET /v2/api/policies`."""
    cloud = request.app[CLOUD]
    check_caller(cloud, request)
    return web.json_response({"policies": [build_document(policy) for policy in cloud.policies.values()]})


async def get_policy(request: web.Request) -> web.Response:
    """`GET /v2/api/policies/{id}`."""
    cloud = request.app[CLOUD]
    check_caller(cloud, request)
    policy = cloud.policies.get(request.match_info["policy_id"])
    if policy is None:
        raise not_found("No such policy")
    return web.json_response({"policy": build_document(policy)})


async def get_client(request: web.Request) -> web.Response:
    """`GET /v2/api/clients/{id}`."""
    cloud = request.app[CLOUD]
    check_caller(cloud, request)
    client = cloud.clients.get(request.match_info["client_id"])
    if client is None:
        raise not_found("No such client")
    return web.json_response({"client": _build_client(client)})


def _build_client(client: Client) -> dict[str, Any]:
    native = client.kind == "native"
    return {
        "id": client.id,
        "name": client.name,
        "public_client": native,
        "client_type": "public_installed_client" if native else "confidential_client",
        "redirect_uris": list(client.redirect_uris),
        "scopes": list(client.scopes),
        "fqdns": [],
        "visibility": "private",
    }


async def get_openid_configuration(request: web.Request) -> web.Response:
    """`GET /.well-known/openid-configuration` (OpenID Connect Discovery 1.0)."""
    url = request.app[CLOUD].base_url
    configuration = {
        "issuer": url,
        "authorization_endpoint": f"{url}/v2/oauth2/authorize",
        "token_endpoint": f"{url}/v2/oauth2/token",
        "userinfo_endpoint": f"{url}/v2/oauth2/userinfo",
        "revocation_endpoint": f"{url}/v2/oauth2/token/revoke",
        "introspection_endpoint": f"{url}/v2/oauth2/token/introspect",
        "jwks_uri": f"{url}/jwk.json",
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "client_credentials", "refresh_token"],
        "subject_types_supported": ["public"],
        "scopes_supported": ["openid", "email", "profile"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
    }
    return web.json_response(configuration)


async def get_jwks(request: web.Request) -> web.Response:
    """`GET /jwk.json` → the keys that id tokens are signed with."""
    return web.json_response(request.app[CLOUD].signing_key.build_jwks())
