"""Globus Groups (https://groups.api.globus.org/redoc): who is in which group."""

from typing import Any

from aiohttp import web

from globus_local.cloud import CLOUD, Cloud
from globus_local.errors import not_found
from globus_local.records import Group, Membership, Token

RESOURCE_SERVER = "groups.api.globus.org"


def add_routes(app: web.Application, cloud: Cloud) -> None:  # noqa: ARG001  (every part is plugged in alike)
    """Plug the Groups service in."""
    app.router.add_get("/v2/groups/my_groups", get_my_groups)
    app.router.add_get("/v2/groups/{group_id}", get_group)


async def get_my_groups(request: web.Request) -> web.Response:
    """`GET /v2/groups/my_groups[?statuses=active,invited]` → the groups in which the caller has a membership."""
    cloud = request.app[CLOUD]
    token = cloud.authenticate(request, resource_server=RESOURCE_SERVER)
    wanted = {status for status in request.query.get("statuses", "").split(",") if status}
    documents = [_build_document(cloud, group, token) for group in cloud.groups.values()]
    mine = [document for document in documents if _is_wanted(document, wanted)]
    return web.json_response(mine)


async def get_group(request: web.Request) -> web.Response:
    """`GET /v2/groups/{id}`: members see it, for others it does not exist."""
    cloud = request.app[CLOUD]
    token = cloud.authenticate(request, resource_server=RESOURCE_SERVER)
    group = cloud.groups.get(request.match_info["group_id"])
    if group is None or not _find_memberships(cloud, group, token):
        raise not_found(f"Group {request.match_info['group_id']} not found")
    return web.json_response(_build_document(cloud, group, token))


def _is_wanted(document: dict[str, Any], statuses: set[str]) -> bool:
    return any(not statuses or membership["status"] in statuses for membership in document["my_memberships"])


def _find_memberships(cloud: Cloud, group: Group, token: Token) -> list[Membership]:
    identity = cloud.identities[token.sub]
    return [group.memberships[sub] for sub in (identity.id, *identity.linked_ids) if sub in group.memberships]


def _build_document(cloud: Cloud, group: Group, token: Token) -> dict[str, Any]:
    memberships = _find_memberships(cloud, group, token)
    return {
        "id": group.id,
        "name": group.name,
        "description": group.description,
        "parent_id": None,
        "group_type": "regular",
        "enforce_session": False,
        "session_limit": 28800,
        "session_timeouts": {},
        "my_memberships": [_build_membership(cloud, group, membership) for membership in memberships],
        "policies": {"group_visibility": "private", "group_members_visibility": "managers"},
        "subscription_id": None,
        "subscription_info": None,
    }


def _build_membership(cloud: Cloud, group: Group, membership: Membership) -> dict[str, Any]:
    return {
        "group_id": group.id,
        "identity_id": membership.identity_id,
        "username": cloud.identities[membership.identity_id].username,
        "role": membership.role,
        "status": membership.status,
    }
