"""The admin surface of Compute: embedded endpoints, and accidents of the broker."""

import uuid

from aiohttp import web

from globus_local.compute.keys import COMPUTE
from globus_local.compute.own_bus import OwnBus
from globus_local.compute.records import Endpoint
from globus_local.compute.submission import find, parse_object, require
from globus_local.endpoint.embedded import CONCURRENCY, EndpointSettings
from globus_local.errors import ServiceError, bad_request, not_found

routes = web.RouteTableDef()


@routes.post("/admin/compute/endpoints")
async def create_endpoint(request: web.Request) -> web.Response:
    """`{name, owner_id, id?, env?, concurrency?, allowed_functions?}` → `{endpoint_id}` of a new embedded endpoint."""
    body = parse_object(await request.read())
    allowed: list[str] | None = find(body, "allowed_functions", list, None)
    endpoint = Endpoint(
        id=find(body, "id", str, str(uuid.uuid4())),
        owner_id=require(body, "owner_id", str),
        name=require(body, "name", str),
        allowed_functions=None if allowed is None else frozenset(allowed),
    )
    concurrency = find(body, "concurrency", int, CONCURRENCY)
    if concurrency < 1:
        raise bad_request("'concurrency' must be at least 1")
    settings = EndpointSettings(env=find(body, "env", dict, {}), concurrency=concurrency)
    return web.json_response({"endpoint_id": await request.app[COMPUTE].create_endpoint(endpoint, settings)})


@routes.delete("/admin/compute/endpoints/{id}")
async def delete_endpoint(request: web.Request) -> web.Response:
    """Stop and forget an endpoint."""
    compute = request.app[COMPUTE]
    endpoint = compute.store.endpoints.get(request.match_info["id"])
    if endpoint is None:
        raise not_found("No such endpoint")
    await compute.delete_endpoint(endpoint)
    return web.Response(status=204)


@routes.post("/admin/compute/broker/restart")
async def restart_broker(request: web.Request) -> web.Response:
    """`{down_s?}`: crash the broker and bring it back; durable queues keep their contents."""
    body = parse_object(await request.read() or b"{}")
    await _own_bus(request).broker.restart(down_s=find(body, "down_s", float, 0.0))
    return web.Response(status=204)


@routes.post("/admin/compute/broker/drop-connections")
async def drop_connections(request: web.Request) -> web.Response:
    """Cut every AMQP connection → how many there were."""
    return web.json_response({"dropped": _own_bus(request).broker.drop_connections()})


def _own_bus(request: web.Request) -> OwnBus:
    bus = request.app[COMPUTE].bus
    if not isinstance(bus, OwnBus):
        raise ServiceError(409, "NOT_OUR_BROKER", "The broker is not the stand-in's own")
    return bus
