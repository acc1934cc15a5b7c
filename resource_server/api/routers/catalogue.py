"""What is there, and who is asking."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from ninja import Router

from resource_server.api.exchange import api_request, build_response
from resource_server.services.models import list_endpoints, list_endpoints_detailed
from resource_server.services.whoami import describe_caller

router = Router(tags=["Catalogue"])


@router.get("/list-endpoints", operation_id="list_endpoints", summary="Clusters, frameworks and models")
async def endpoints(request: HttpRequest) -> HttpResponseBase:
    """The documented tree of clusters, frameworks and models, filtered by what the caller may use."""
    exchange = api_request(request)
    return build_response(await list_endpoints(exchange.gateway.models, exchange.auth))


@router.get("/list-endpoints-detailed", operation_id="list_endpoints_detailed", summary="The same, with states")
async def endpoints_detailed(request: HttpRequest) -> HttpResponseBase:
    """The documented tree, with the state of every model."""
    exchange = api_request(request)
    return build_response(await list_endpoints_detailed(exchange.gateway.models, exchange.auth))


@router.get("/whoami", operation_id="whoami", summary="Who you are to the gateway")
async def whoami(request: HttpRequest) -> HttpResponseBase:
    """The caller's Globus identity as the gateway sees it."""
    return build_response(describe_caller(api_request(request).auth))
