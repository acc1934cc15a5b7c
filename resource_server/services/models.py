"""The catalogue as clients see it: exactly what they can call."""

from collections import defaultdict
from collections.abc import Sequence

import orjson

from resource_server.domain.catalogue import Place
from resource_server.domain.errors import ModelOffline
from resource_server.domain.operations import Operation
from resource_server.domain.replies import Reply
from resource_server.domain.states import ModelState
from resource_server.identity.base import Caller
from resource_server.services.access import Path, known_groups, resolve, usable_models
from resource_server.services.catalogue import Catalogue
from resource_server.services.routing import Routing

_ENDPOINT_NAMES = {
    Operation.CHAT_COMPLETIONS: "chat",
    Operation.COMPLETIONS: "completion",
    Operation.EMBEDDINGS: "embedding",
}
_BEST_FIRST = tuple(ModelState)


class Models:
    """What the listing use cases need."""

    def __init__(self, catalogue: Catalogue, routing: Routing) -> None:
        self.catalogue = catalogue
        self.routing = routing

    def state_of(self, place: Place) -> ModelState:
        """The place's state from memory."""
        return self.routing.standing(place).state

    def best_state(self, places: Sequence[Place]) -> ModelState:
        """The state of the place that can answer soonest."""
        return min((self.state_of(place) for place in places), key=_BEST_FIRST.index)


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
    """Start the model where it can serve soonest, and say where it stands. Raises `ModelNotFound`, `ModelOffline`."""
    places = await resolve(models.catalogue.snapshot(), caller, path, model)
    candidates = models.routing.rank(places)
    if not candidates:
        raise ModelOffline("This model is offline everywhere at the moment. Try again later.", retry_after_s=30)
    place = candidates[0].place
    if candidates[0].state is not ModelState.HOT:
        models.routing.holding.warm(place)
    standing = models.routing.standing(place)
    document = {"id": model, "object": "model", "status": standing.state.value, "eta_s": standing.eta_s}
    return Reply(orjson.dumps(document))


async def list_endpoints(models: Models, caller: Caller) -> Reply:
    """The documented tree of clusters, frameworks, models and their endpoints."""
    snapshot = models.catalogue.snapshot()
    groups = await known_groups(caller, snapshot.places())
    clusters: dict[str, dict[str, dict[str, object]]] = defaultdict(dict)
    for (cluster, framework), names in sorted(snapshot.paths.items()):
        shown = usable_models(names, caller.principal, groups)
        if shown:
            clusters[cluster][framework] = {
                "models": sorted(shown),
                "endpoints": _endpoints(cluster, framework, [place for places in shown.values() for place in places]),
            }
    document = {
        "clusters": {
            cluster: {"base_url": f"/resource_server/{cluster}", "frameworks": frameworks}
            for cluster, frameworks in clusters.items()
        }
    }
    return Reply(orjson.dumps(document))


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
        "status": models.best_state(places).value,
        "capabilities": sorted({operation.value for place in places for operation in place.target.operations}),
        "aliases": [],
    }
