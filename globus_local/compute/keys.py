"""Where handlers find the service: `request.app[COMPUTE]`."""

from aiohttp import web

from globus_local.compute.service import Compute

COMPUTE = web.AppKey("COMPUTE", Compute)
