"""The routes of the Compute web service that the SDK and the agent use."""

import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiohttp import web

from globus_local.cloud import CLOUD, Cloud
from globus_local.compute import admin
from globus_local.compute.documents import describe_endpoint, describe_function, describe_task
from globus_local.compute.keys import COMPUTE
from globus_local.compute.records import Endpoint
from globus_local.compute.service import Compute
from globus_local.compute.submission import find, parse_function, parse_object, parse_submission, require
from globus_local.compute.wire import GROUP_QUEUE_PREFIX

RESOURCE_SERVER = "funcx_service"
SCOPE = "https://auth.globus.org/scopes/facd7ccc-c5f4-42aa-916b-a0e270e2c2a9/all"
VERSION = "1.0.0"
VERSIONS = {"api": VERSION, "min_sdk_version": "2.0.0", "min_ep_version": "2.0.0", "min_ecp_version": "2.0.0"}

routes = web.RouteTableDef()


def add_routes(app: web.Application, cloud: Cloud) -> None:
    """Plug the Compute service in, with the broker and the embedded endpoints below it."""
    app[COMPUTE] = Compute(cloud)
    app.router.add_routes(routes)
    app.router.add_routes(admin.routes)
    app.cleanup_ctx.append(_run)


async def _run(app: web.Application) -> AsyncIterator[None]:
    async with app[COMPUTE].running():
        yield


def _authenticate(request: web.Request) -> str:
    """The identity of the caller."""
    return request.app[CLOUD].authenticate(request, resource_server=RESOURCE_SERVER, scope=SCOPE).sub


def _find_endpoint(request: web.Request) -> Endpoint:
    return request.app[COMPUTE].store.endpoint(request.match_info["id"], _authenticate(request))


@routes.get("/v2/version")
async def get_version(request: web.Request) -> web.Response:
    """`?service=all` → the versions that the service wants; else its own."""
    return web.json_response(VERSIONS if request.query.get("service") == "all" else VERSION)


@routes.get("/v2/get_amqp_result_connection_url")
async def get_result_url(request: web.Request) -> web.Response:
    """Where task groups' queues are, and how they are named."""
    _authenticate(request)
    return web.json_response({"queue_prefix": GROUP_QUEUE_PREFIX, "connection_url": request.app[COMPUTE].bus.url})


@routes.post("/v2/functions")
@routes.post("/v3/functions")
async def register_function(request: web.Request) -> web.Response:
    """`{function_name, function_code, serialized, …}` → `{function_uuid}`."""
    function = parse_function(parse_object(await request.read()), _authenticate(request))
    return web.json_response({"function_uuid": request.app[COMPUTE].register_function(function)})


@routes.get("/v2/functions/{id}")
async def get_function(request: web.Request) -> web.Response:
    """What was registered."""
    caller_id = _authenticate(request)
    return web.json_response(
        describe_function(request.app[COMPUTE].store.function(request.match_info["id"], caller_id))
    )


@routes.delete("/v2/functions/{id}")
async def delete_function(request: web.Request) -> web.Response:
    """Forget a function."""
    store = request.app[COMPUTE].store
    function = store.function(request.match_info["id"], _authenticate(request))
    del store.functions[function.id]
    return web.json_response({"result": 302})


@routes.post("/v2/endpoints")
@routes.post("/v3/endpoints")
async def register_endpoint(request: web.Request) -> web.Response:
    """A new endpoint → its registration document."""
    endpoint = Endpoint(id=str(uuid.uuid4()), owner_id=_authenticate(request), name="")
    return await _register(request, endpoint)


@routes.put("/v3/endpoints/{id}")
async def update_endpoint(request: web.Request) -> web.Response:
    """An endpoint that was registered before, maybe with an earlier run of this cloud → its registration document."""
    caller_id, endpoint_id = _authenticate(request), request.match_info["id"]
    store = request.app[COMPUTE].store
    if endpoint_id in store.endpoints:
        return await _register(request, store.endpoint(endpoint_id, caller_id))
    return await _register(request, Endpoint(id=endpoint_id, owner_id=caller_id, name=""))


async def _register(request: web.Request, endpoint: Endpoint) -> web.Response:
    body = parse_object(await request.read())
    allowed: list[str] | None = find(body, "allowed_functions", list, None)
    endpoint.name = require(body, "endpoint_name", str)
    endpoint.display_name = find(body, "display_name", str, None)
    endpoint.multi_user = find(body, "multi_user", bool, default=False)
    endpoint.public = find(body, "public", bool, default=False)
    endpoint.metadata = find(body, "metadata", dict, {})
    endpoint.allowed_functions = None if allowed is None else frozenset(map(str, allowed))
    return web.json_response(await request.app[COMPUTE].register_endpoint(endpoint))


@routes.get("/v2/endpoints")
async def list_endpoints(request: web.Request) -> web.Response:
    """What the caller registered; not the user endpoints that agents started from it."""
    caller_id = _authenticate(request)
    endpoints = request.app[COMPUTE].store.endpoints.values()
    owned = [each for each in endpoints if each.owner_id == caller_id and each.parent_id is None]
    return web.json_response([describe_endpoint(endpoint) for endpoint in owned])


@routes.get("/v2/endpoints/{id}")
async def get_endpoint(request: web.Request) -> web.Response:
    """What was registered."""
    return web.json_response(describe_endpoint(_find_endpoint(request)))


@routes.get("/v2/endpoints/{id}/status")
async def get_endpoint_status(request: web.Request) -> web.Response:
    """`online` or `offline`, and the last heartbeat."""
    endpoint = _find_endpoint(request)
    status = "online" if request.app[COMPUTE].is_online(endpoint) else "offline"
    return web.json_response({"status": status, "details": dict(endpoint.heartbeat or {})})


@routes.delete("/v2/endpoints/{id}")
async def delete_endpoint(request: web.Request) -> web.Response:
    """Forget an endpoint."""
    await request.app[COMPUTE].delete_endpoint(_find_endpoint(request))
    return web.json_response({"result": 302})


@routes.post("/v2/endpoints/{id}/lock")
@routes.post("/v3/endpoints/{id}/lock")
async def lock_endpoint(request: web.Request) -> web.Response:
    """Cut the endpoint off: it is offline until it registers or is heard again."""
    endpoint = _find_endpoint(request)
    endpoint.online_until = 0.0
    return web.json_response({"endpoint_id": endpoint.id})


@routes.get("/v3/endpoints/{id}/allowed_functions")
async def list_allowed_functions(request: web.Request) -> web.Response:
    """The only functions that the endpoint runs, where it restricts them."""
    endpoint = _find_endpoint(request)
    allowed = endpoint.allowed_functions
    return web.json_response(
        {
            "endpoint_id": endpoint.id,
            "restricted": allowed is not None,
            "functions": None if allowed is None else sorted(allowed),
        }
    )


@routes.post("/v3/endpoints/{id}/submit")
async def submit(request: web.Request) -> web.Response:
    """Tasks → their ids, in the same order."""
    endpoint = _find_endpoint(request)
    submission = parse_submission(await request.read())
    return web.json_response(await request.app[COMPUTE].submit(endpoint, endpoint.owner_id, submission))


@routes.get("/v2/tasks/{id}")
async def get_task(request: web.Request) -> web.Response:
    """A task's state, and its result once there is one."""
    task = request.app[COMPUTE].store.task(request.match_info["id"], _authenticate(request))
    return web.json_response(describe_task(task))


@routes.post("/v2/batch_status")
async def get_task_batch(request: web.Request) -> web.Response:
    """`{task_ids}` → `{results}` by id; ids that are unknown to the caller are left out."""
    caller_id = _authenticate(request)
    task_ids: list[Any] = require(parse_object(await request.read()), "task_ids", list)
    tasks = request.app[COMPUTE].store.tasks
    found = [tasks[task_id] for task_id in map(str, task_ids) if task_id in tasks]
    results: Mapping[str, Any] = {task.id: describe_task(task) for task in found if task.owner_id == caller_id}
    return web.json_response({"response": "batch", "results": results})


@routes.get("/v2/taskgroup/{id}")
async def get_task_group(request: web.Request) -> web.Response:
    """The ids of the group's tasks."""
    group = request.app[COMPUTE].store.group(request.match_info["id"], _authenticate(request))
    tasks = [{"id": task_id} for task_id in group.task_ids]
    return web.json_response({"taskgroup_id": group.id, "tasks": tasks})
