"""The Ninja API that clients call. Errors leave it as exceptions: the entry makes the one envelope of them."""

from typing import NoReturn

from django.http import Http404, HttpRequest
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from resource_server.api.routers import catalogue, clusters, openai, operations
from resource_server.api.security import GlobusBearer

api = NinjaAPI(
    title="Inference gateway",
    version="1",
    description="OpenAI-compatible access to language models on federated clusters.",
    urls_namespace="api",
    auth=GlobusBearer(),
    openapi_url="/openapi.json",
    docs_url="/docs",
)


def _reraise(request: HttpRequest, exc: Exception | type[Exception]) -> NoReturn:  # noqa: ARG001 - Ninja's signature
    raise exc


for _kind in (Exception, Http404, HttpError, ValidationError):
    api.add_exception_handler(_kind, _reraise)

api.add_router("", operations.router)
api.add_router("", catalogue.router)
api.add_router("/v1", openai.federated)
api.add_router("/{cluster}/{framework}/v1", openai.on_cluster)
api.add_router("", clusters.router)
