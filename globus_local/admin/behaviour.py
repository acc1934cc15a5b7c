"""Clock, faults and ledger of the cloud."""

import dataclasses

from aiohttp import web

from globus_local.admin.bodies import read_json, to_public, update_fields
from globus_local.cloud import CLOUD, Cloud
from globus_local.errors import bad_request, not_found
from globus_local.faults import ComputeFaults, Fault, find_problem

RATE_LIMIT_FIELDS = ("enabled", "limit", "window_s", "services")
COMPUTE_FIELDS = tuple(field.name for field in dataclasses.fields(ComputeFaults))
FAULT_FIELDS = frozenset(field.name for field in dataclasses.fields(Fault)) - {"id"}


async def get_settings(request: web.Request) -> web.Response:
    """`{skew_s, token_lifetime_s, auto_login, now}`."""
    return web.json_response(_build_settings(request.app[CLOUD]))


async def patch_settings(request: web.Request) -> web.Response:
    """Change `skew_s`, `token_lifetime_s` (seconds) or `auto_login` (a username, or `null`)."""
    cloud = request.app[CLOUD]
    body = await read_json(request)
    if "auto_login" in body:
        cloud.auto_login = body.pop("auto_login")
    if "skew_s" in body:
        update_fields(cloud.clock, {"skew_s": body.pop("skew_s")}, ("skew_s",))
    update_fields(cloud, body, ("token_lifetime_s",))
    return web.json_response(_build_settings(cloud))


def _build_settings(cloud: Cloud) -> dict[str, float | str | None]:
    return {
        "skew_s": cloud.clock.skew_s,
        "token_lifetime_s": cloud.token_lifetime_s,
        "auto_login": cloud.auto_login,
        "now": cloud.clock.now(),
    }


async def post_fault(request: web.Request) -> web.Response:
    """Add an HTTP fault (fields of `faults.Fault`); answers it with its id."""
    body = await read_json(request)
    if unknown := sorted(set(body) - FAULT_FIELDS):
        raise bad_request(f"A fault has no field {unknown[0]!r} (known: {', '.join(sorted(FAULT_FIELDS))})")
    fault = Fault(**body)
    if problem := find_problem(fault):
        raise bad_request(problem)
    request.app[CLOUD].faults.http.append(fault)
    return web.json_response(to_public(fault), status=201)


async def get_faults(request: web.Request) -> web.Response:
    """All misbehaviour in force."""
    faults = request.app[CLOUD].faults
    return web.json_response(
        {
            "http": [to_public(fault) for fault in faults.http],
            "rate_limit": to_public(faults.rate_limit),
            "compute": to_public(faults.compute),
        }
    )


async def delete_faults(request: web.Request) -> web.Response:
    """Behave again."""
    request.app[CLOUD].faults.clear()
    return web.Response(status=204)


async def delete_fault(request: web.Request) -> web.Response:
    """Remove one HTTP fault."""
    faults = request.app[CLOUD].faults.http
    kept = [fault for fault in faults if fault.id != request.match_info["fault_id"]]
    if len(kept) == len(faults):
        raise not_found("No such fault: it is used up or removed")
    faults[:] = kept
    return web.Response(status=204)


async def patch_compute_faults(request: web.Request) -> web.Response:
    """Change the named faults of Compute (fields of `faults.ComputeFaults`)."""
    faults = request.app[CLOUD].faults.compute
    update_fields(faults, await read_json(request), COMPUTE_FIELDS)
    return web.json_response(to_public(faults))


async def patch_rate_limit(request: web.Request) -> web.Response:
    """Change the rate limit: `{enabled?, limit?, window_s?, services?}`."""
    rate_limit = request.app[CLOUD].faults.rate_limit
    update_fields(rate_limit, await read_json(request), RATE_LIMIT_FIELDS)
    return web.json_response(to_public(rate_limit))


async def get_ledger(request: web.Request) -> web.Response:
    """`?service=…` → the calls received, oldest first."""
    service = request.query.get("service")
    entries = [entry.to_json() for entry in request.app[CLOUD].ledger if service in (None, entry.service)]
    return web.json_response({"calls": entries})


async def delete_ledger(request: web.Request) -> web.Response:
    """Forget the calls so far."""
    request.app[CLOUD].ledger.clear()
    return web.Response(status=204)
