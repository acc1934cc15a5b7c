"""Identities, providers, clients, groups and policies of the cloud."""

from aiohttp import web

from globus_local.admin.bodies import read_json, refusing_bad_records, to_public
from globus_local.cloud import CLOUD, Cloud
from globus_local.errors import not_found
from globus_local.records import Group
from globus_local.seed import ADDERS, add_records, set_membership


async def post_records(request: web.Request) -> web.Response:
    """Add records in the seed format; answers them complete: ids, and the secrets of clients."""
    cloud = request.app[CLOUD]
    body = await read_json(request)
    with refusing_bad_records():
        added = add_records(cloud, body)
    return web.json_response({kind: [to_public(each) for each in records] for kind, records in added.items()})


async def get_records(request: web.Request) -> web.Response:
    """Everything there is, in the seed format (secrets included: this is a cloud to test with)."""
    cloud = request.app[CLOUD]
    registries = {kind: getattr(cloud, kind).values() for kind in ADDERS}
    return web.json_response({kind: [to_public(each) for each in records] for kind, records in registries.items()})


async def put_member(request: web.Request) -> web.Response:
    """`{identity, status?, role?}`: set a membership."""
    cloud = request.app[CLOUD]
    group = _get_group(cloud, request)
    with refusing_bad_records():
        membership = set_membership(cloud, group, await read_json(request))
    return web.json_response(to_public(membership))


async def delete_member(request: web.Request) -> web.Response:
    """Take a membership away."""
    group = _get_group(request.app[CLOUD], request)
    group.memberships.pop(request.match_info["identity_id"], None)
    return web.Response(status=204)


async def post_reset(request: web.Request) -> web.Response:
    """Forget everything but addresses and the admin token."""
    request.app[CLOUD].reset()
    return web.Response(status=204)


def _get_group(cloud: Cloud, request: web.Request) -> Group:
    group = cloud.groups.get(request.match_info["group_id"])
    if group is None:
        raise not_found("No such group")
    return group
