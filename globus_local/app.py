from aiohttp import web

from globus_local import groups
from globus_local.admin import routes as admin
from globus_local.auth import routes as auth
from globus_local.cloud import CLOUD, Cloud
from globus_local.compute import routes as compute
from globus_local.middleware import MIDDLEWARES

MAX_BODY_BYTES = 10 * 1024 * 1024
"""Globus Compute's documented limit of one submission."""


def build_app(cloud: Cloud) -> web.Application:
    """All services on one application.

    Each part has `add_routes(app, cloud)`; a part with a life of its own (Compute: broker, endpoint) appends to
    `app.cleanup_ctx` there, and to `cloud.on_reset` what empties its state. The cloud's `base_url` is known by the
    time the contexts are entered.
    """
    app = web.Application(middlewares=MIDDLEWARES, client_max_size=MAX_BODY_BYTES)
    app[CLOUD] = cloud
    for part in (auth, groups, compute, admin):
        part.add_routes(app, cloud)
    return app
