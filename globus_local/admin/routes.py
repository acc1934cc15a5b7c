from aiohttp import web

from globus_local.cloud import Cloud


def add_routes(app: web.Application, cloud: Cloud) -> None:
    """Plug the service in."""
