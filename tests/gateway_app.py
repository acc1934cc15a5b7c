"""The gateway's ASGI application for `tests.gateway`: a call that blocks the event loop fails the request."""

from blockbuster import BlockBuster

from tests.loop_guards import allow_known_calls

_blockbuster = BlockBuster(["resource_server", "inference_gateway"])
allow_known_calls(_blockbuster)
_blockbuster.activate()

from inference_gateway.asgi import application as application  # noqa: E402 - watched from its first line
