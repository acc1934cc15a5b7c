from aiohttp import web

from globus_local.auth import authorize, consents, grants, introspection, metadata, people, scope_api
from globus_local.cloud import Cloud


def add_routes(app: web.Application, cloud: Cloud) -> None:  # noqa: ARG001  (every part is plugged in alike)
    """Plug Globus Auth in."""
    router = app.router
    router.add_get("/v2/oauth2/authorize", authorize.get_authorize)
    router.add_post("/v2/oauth2/authorize", authorize.post_authorize)
    router.add_get(authorize.AUTH_CODE_PATH, authorize.get_auth_code)
    router.add_post("/v2/oauth2/token", grants.post_token)
    router.add_post("/v2/oauth2/token/revoke", grants.post_revoke)
    router.add_post("/v2/oauth2/token/introspect", introspection.introspect)
    router.add_get("/v2/oauth2/userinfo", people.get_userinfo)
    router.add_get("/v2/api/identities", people.get_identities)
    router.add_get("/v2/api/identities/{identity_id}", people.get_identity)
    router.add_get("/v2/api/identities/{identity_id}/consents", consents.get_consents)
    router.add_get("/v2/api/identity_providers", people.get_identity_providers)
    router.add_get("/v2/api/policies", metadata.get_policies)
    router.add_get("/v2/api/policies/{policy_id}", metadata.get_policy)
    router.add_get("/v2/api/clients/{client_id}", metadata.get_client)
    router.add_get("/v2/api/scopes", scope_api.get_scopes)
    router.add_post("/v2/api/clients/{client_id}/scopes", scope_api.post_scope)
    router.add_put("/v2/api/scopes/{scope_id}", scope_api.put_scope)
    router.add_get("/.well-known/openid-configuration", metadata.get_openid_configuration)
    router.add_get("/jwk.json", metadata.get_jwks)
