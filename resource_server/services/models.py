"""The catalogue as clients see it: exactly what they can call."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from math import inf

import orjson

from resource_server.domain.catalogue import Place
from resource_server.domain.operations import Operation
from resource_server.domain.replies import Reply
from resource_server.domain.standing import Standing
from resource_server.domain.states import ModelState
from resource_server.identity.base import Caller
from resource_server.services.access import Path, known_groups, resolve, usable_models
from resource_server.services.catalogue import Catalogue
from resource_server.services.maintenance import build_gone
from resource_server.services.routing import Routing

_ENDPOINT_NAMES = {
    Operation.CHAT_COMPLETIONS: "chat",
    Operation.COMPLETIONS: "completion",
    Operation.EMBEDDINGS: "embedding",
}
_BEST_FIRST = tuple(ModelState)
_NOT_SERVED = frozenset({ModelState.OFFLINE, ModelState.MAINTENANCE})


class Models:
    """What the listing use cases need."""

    def __init__(self, catalogue: Catalogue, routing: Routing) -> None:
        self.catalogue = catalogue
        self.routing = routing

    def best_standing(self, places: Sequence[Place]) -> Standing:
        """Of the place that can answer soonest, from memory."""
        return min(map(self.routing.standing, places), key=_find_wait)


def describe_standing(standing: Standing) -> dict[str, object]:
    """State, ETA and age as every route shows them: whole seconds, `as_of` POSIX; `None` where nobody knows."""
    return {
        "status": standing.state.value,
        "eta_s": None if standing.eta_s is None else round(standing.eta_s),
        "as_of": None if standing.as_of is None else round(standing.as_of),
    }


async def list_models(models: Models, caller: Caller, path: Path) -> Reply:
    """OpenAI's list of models for this caller."""
    names = models.catalogue.snapshot().names(path)
    groups = await known_groups(caller, (place for places in names.values() for place in places))
    shown = usable_models(names, caller.principal, groups)
    data = [_describe(models, model, places) for model, places in sorted(shown.items())]
    return Reply(orjson.dumps({"object": "list", "data": data}))


async def get_model(models: Models, caller: Caller, path: Path, model: str) -> Reply:
    """One OpenAI model object. Raises `ModelNotFound`."""
    return Reply(
        orjson.dumps(_describe(models, model, await resolve(models.catalogue.snapshot(), caller, path, model)))
    )


async def warm_model(models: Models, caller: Caller, path: Path, model: str) -> Reply:
    """Start the model where it can serve soonest, and say where it stands.

    Raises:
        ModelNotFound: there is none for this caller.
        ModelOffline: every place is offline.
        Maintenance: those that are not are in maintenance.
    """
    places = await resolve(models.catalogue.snapshot(), caller, path, model)
    candidates = models.routing.rank(places)
    if not candidates:
        raise build_gone((place, models.routing.standing(place)) for place in places)
    place = candidates[0].place
    if candidates[0].state is not ModelState.HOT:
        models.routing.holding.warm(place)
    document = {"id": model, "object": "model", **describe_standing(models.routing.standing(place))}
    return Reply(orjson.dumps(document))


async def get_status(models: Models, caller: Caller, path: tuple[str, str], model: str) -> Reply:
    """Where one model of one cluster and framework stands. Raises `ModelNotFound`."""
    (place,) = await resolve(models.catalogue.snapshot(), caller, path, model)
    standing = models.routing.standing(place)
    left_s = standing.walltime_left_s
    document = {
        "cluster": place.target.cluster,
        "framework": place.target.framework,
        "model": place.target.model,
        **describe_standing(standing),
        "free_nodes": standing.free_nodes,
        "walltime_left_s": None if left_s is None else round(left_s),
    }
    return Reply(orjson.dumps(document))


async def list_endpoints(models: Models, caller: Caller) -> Reply:
    """The documented tree of clusters, frameworks, models and their endpoints."""
    return await _list_tree(models, caller, sorted)


async def list_endpoints_detailed(models: Models, caller: Caller) -> Reply:
    """The same tree, where each model says whether requests may go there, and its state."""

    def describe(shown: Mapping[str, Sequence[Place]]) -> list[dict[str, str]]:
        return [_describe_endpoint(name, models.best_standing(places)) for name, places in sorted(shown.items())]

    return await _list_tree(models, caller, describe)


async def _list_tree(
    models: Models, caller: Caller, describe_models: Callable[[Mapping[str, Sequence[Place]]], object]
) -> Reply:
    snapshot = models.catalogue.snapshot()
    groups = await known_groups(caller, snapshot.places())
    clusters: dict[str, dict[str, dict[str, object]]] = defaultdict(dict)
    for (cluster, framework), names in sorted(snapshot.paths.items()):
        shown = usable_models(names, caller.principal, groups)
        if shown:
            clusters[cluster][framework] = {
                "models": describe_models(shown),
                "endpoints": _endpoints(cluster, framework, [place for places in shown.values() for place in places]),
            }
    document = {
        "clusters": {
            cluster: {"base_url": f"/resource_server/{cluster}", "frameworks": frameworks}
            for cluster, frameworks in clusters.items()
        }
    }
    return Reply(orjson.dumps(document))


def _find_wait(standing: Standing) -> tuple[int, float]:
    return _BEST_FIRST.index(standing.state), inf if standing.eta_s is None else standing.eta_s


def _describe_endpoint(name: str, standing: Standing) -> dict[str, str]:
    is_online = standing.state not in _NOT_SERVED
    return {
        "name": name,
        "endpoint_status": "online" if is_online else "offline",
        "model_status": standing.state.value,
    }


def _endpoints(cluster: str, framework: str, places: Sequence[Place]) -> dict[str, str]:
    served = {operation for place in places for operation in place.target.operations}
    return {
        name: f"/{cluster}/{framework}/v1/{operation}/"
        for operation, name in _ENDPOINT_NAMES.items()
        if operation in served
    }


def _describe(models: Models, model: str, places: Sequence[Place]) -> dict[str, object]:
    lengths = [place.target.max_model_len for place in places if place.target.max_model_len is not None]
    return {
        "id": model,
        "object": "model",
        "created": 0,  # the catalogue does not record when a model appeared, and SDKs require the field
        "owned_by": "inference-gateway",
        "max_model_len": min(lengths) if lengths else None,
        **describe_standing(models.best_standing(places)),
        "capabilities": sorted({operation.value for place in places for operation in place.target.operations}),
        "aliases": [],
    }
