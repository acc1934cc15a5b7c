"""For operators and their probes: no token."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from ninja import Router

from resource_server.api.exchange import api_request, build_response
from resource_server.services.health import describe_health, describe_metrics, describe_readiness

router = Router(tags=["Operations"], auth=None)


@router.get("/health", operation_id="health", summary="The process runs")
async def health(request: HttpRequest) -> HttpResponseBase:  # noqa: ARG001 - Ninja passes it
    """200 as long as the process answers at all."""
    return build_response(describe_health())


@router.get("/ready", operation_id="ready", summary="The process can serve inference")
async def ready(request: HttpRequest) -> HttpResponseBase:
    """503 only while this process cannot serve inference; dependencies that are down show as degraded."""
    gateway = api_request(request).gateway
    return build_response(
        describe_readiness(gateway.catalogue, gateway.state, gateway.accounting, gateway.authenticator)
    )


@router.get("/status", operation_id="status", summary="The clusters' public state")
async def status(request: HttpRequest) -> HttpResponseBase:
    """Clusters without access rules: how many of their open models stand where, and maintenance."""
    return build_response(api_request(request).gateway.public_status.describe())


@router.get("/metrics", operation_id="metrics", include_in_schema=False)
async def metrics(request: HttpRequest) -> HttpResponseBase:
    """Prometheus's text format, for allow-listed addresses."""
    exchange = api_request(request)
    gateway = exchange.gateway
    address = exchange.META.get("REMOTE_ADDR", "")
    return build_response(await describe_metrics(address, gateway.metrics_addresses, gateway.telemetry))
