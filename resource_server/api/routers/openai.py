"""The OpenAI operations, on the federated base and under a cluster's path."""

import math
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from ninja import Path as UrlPath
from ninja import Router

from resource_server.api.exchange import api_request, build_response
from resource_server.api.schemas.openai import REQUEST_BODIES
from resource_server.domain.operations import Operation
from resource_server.services.access import Path
from resource_server.services.inference import InferenceRequest
from resource_server.services.models import get_model, list_models, warm_model

# Ninja takes a name that stands in the mount's prefix for a query parameter unless it is told.
Handler: TypeAlias = Callable[..., Awaitable[HttpResponseBase]]

federated = Router(tags=["OpenAI"])
on_cluster = Router(tags=["OpenAI, one cluster and framework"])


async def _answer(request: HttpRequest, operation: Operation, path: Path) -> HttpResponseBase:
    exchange = api_request(request)
    if exchange.entry is None:
        raise TypeError(f"the entry opened no record for {operation}")
    inference_request = InferenceRequest(
        request_id=exchange.request_id,
        received_at=exchange.received_at,
        authenticated_at=exchange.authenticated_at,
        entry=exchange.entry,
        operation=operation,
        path=path,
        body=exchange.body,
        client_timeout_s=_find_client_timeout_s(exchange.META.get("HTTP_X_STAINLESS_READ_TIMEOUT", "")),
    )
    return build_response(await exchange.gateway.inference.answer(exchange.auth, inference_request))


def _find_client_timeout_s(header: str) -> float | None:
    """What the OpenAI SDKs say of their own patience; `None` where it says nothing that can be used."""
    try:
        seconds = float(header)
    except ValueError:
        return None
    return seconds if 0 < seconds < math.inf else None


def _federated_handler(operation: Operation) -> Handler:
    async def handler(request: HttpRequest) -> HttpResponseBase:
        return await _answer(request, operation, None)

    return handler


def _cluster_handler(operation: Operation) -> Handler:
    async def handler(request: HttpRequest, cluster: UrlPath[str], framework: UrlPath[str]) -> HttpResponseBase:
        return await _answer(request, operation, (cluster, framework))

    return handler


for _operation in Operation:
    _name = _operation.value.replace("/", "_")
    _extra = {"requestBody": REQUEST_BODIES[_operation]}
    # By the route's name the entry knows, before anything is read, that a request goes on record.
    _options: dict[str, Any] = {"url_name": _operation.value, "summary": _operation.value, "openapi_extra": _extra}
    federated.post(f"/{_operation}", operation_id=_name, **_options)(_federated_handler(_operation))
    on_cluster.post(f"/{_operation}", operation_id=f"cluster_{_name}", **_options)(_cluster_handler(_operation))


@federated.get("/models", operation_id="list_models", summary="Models that you can call")
async def models(request: HttpRequest) -> HttpResponseBase:
    """Every federated model that the caller may use, with its state."""
    exchange = api_request(request)
    return build_response(await list_models(exchange.gateway.models, exchange.auth, None))


# Before the route of one model, whose pattern would take it.
@federated.post("/models/{path:model_id}/warm", operation_id="warm_model", summary="Start a model")
async def warm(request: HttpRequest, model_id: str) -> HttpResponseBase:
    """Start a federated model that is not hot, where it can serve soonest, without asking it anything."""
    exchange = api_request(request)
    return build_response(await warm_model(exchange.gateway.models, exchange.auth, None, model_id))


@federated.get("/models/{path:model_id}", operation_id="get_model", summary="One model")
async def model(request: HttpRequest, model_id: str) -> HttpResponseBase:
    """One federated model; ids hold ``/``, raw or as ``%2F``."""
    exchange = api_request(request)
    return build_response(await get_model(exchange.gateway.models, exchange.auth, None, model_id))


@on_cluster.get("/models", operation_id="cluster_list_models", summary="Models that you can call here")
async def cluster_models(request: HttpRequest, cluster: UrlPath[str], framework: UrlPath[str]) -> HttpResponseBase:
    """Every model of one cluster and framework that the caller may use."""
    exchange = api_request(request)
    return build_response(await list_models(exchange.gateway.models, exchange.auth, (cluster, framework)))


@on_cluster.get("/models/{path:model_id}", operation_id="cluster_get_model", summary="One model")
async def cluster_model(
    request: HttpRequest, cluster: UrlPath[str], framework: UrlPath[str], model_id: str
) -> HttpResponseBase:
    """One model of one cluster and framework."""
    exchange = api_request(request)
    return build_response(await get_model(exchange.gateway.models, exchange.auth, (cluster, framework), model_id))
