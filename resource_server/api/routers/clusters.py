"""The live state of one cluster: its jobs, and where its models stand."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from ninja import Router

from resource_server.api.exchange import api_request, build_response
from resource_server.services.jobs import list_jobs
from resource_server.services.models import get_status

router = Router(tags=["Clusters"])


@router.get("/{cluster}/jobs", operation_id="list_jobs", summary="A cluster's jobs")
async def jobs(request: HttpRequest, cluster: str) -> HttpResponseBase:
    """The jobs that serve models which the caller may use, and the caller's own batches."""
    exchange = api_request(request)
    gateway = exchange.gateway
    return build_response(await list_jobs(gateway.catalogue, gateway.board, exchange.auth, cluster))


@router.get("/{cluster}/{framework}/{path:model}/status", operation_id="model_status", summary="Where a model stands")
async def status(request: HttpRequest, cluster: str, framework: str, model: str) -> HttpResponseBase:
    """The state of one model of one cluster and framework; ids hold ``/``, raw or as ``%2F``."""
    exchange = api_request(request)
    return build_response(await get_status(exchange.gateway.models, exchange.auth, (cluster, framework), model))
