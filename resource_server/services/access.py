"""One resolver and one authorization function for every route (reliability: position 1)."""

from collections.abc import Iterable, Mapping
from contextlib import suppress

from resource_server.domain.access import can_use, needs_groups
from resource_server.domain.catalogue import Place, Snapshot
from resource_server.domain.errors import AuthUnavailable, GatewayError, ModelNotFound, ReauthenticationRequired
from resource_server.domain.principal import Principal
from resource_server.identity.base import Caller

Path = tuple[str, str] | None
"""(cluster, framework), or `None` for the federated base."""


async def resolve(snapshot: Snapshot, caller: Caller, path: Path, model: str) -> list[Place]:
    """The places that serve `model` for this caller, in the operator's order.

    An unknown model and one that a rule hides read the same.

    Raises:
        ModelNotFound: there is none.
        AuthUnavailable: every rule needs the caller's groups, and Globus Groups cannot be asked.
        ReauthenticationRequired: the same, and the caller has not consented to it.
    """
    places = await visible(caller, snapshot.names(path).get(model, ()))
    if not places:
        raise ModelNotFound(
            f"The model {model[:200]!r} does not exist here or is not open to you: GET …/v1/models lists what is.",
            param="model",
        )
    return places


async def visible(caller: Caller, places: tuple[Place, ...]) -> list[Place]:
    """Those of `places` whose every rule the caller passes.

    Where the caller's groups cannot be told, what needs none still serves. Raises as `resolve` if nothing does.
    """
    groups: frozenset[str] = frozenset()
    failure: GatewayError | None = None
    if any(needs_groups(place.rules) for place in places):
        try:
            groups = await caller.groups()
        except (AuthUnavailable, ReauthenticationRequired) as error:
            failure = error
    shown = [place for place in places if can_use(caller.principal, groups, place.rules)]
    if failure is not None and not shown:
        raise failure
    return shown


async def known_groups(caller: Caller, places: Iterable[Place]) -> frozenset[str]:
    """The caller's groups if a rule of `places` needs them; none while they cannot be told."""
    if any(needs_groups(place.rules) for place in places):
        with suppress(AuthUnavailable, ReauthenticationRequired):
            return await caller.groups()
    return frozenset()


def usable_models(
    names: Mapping[str, tuple[Place, ...]], principal: Principal, groups: frozenset[str]
) -> dict[str, list[Place]]:
    """Exactly the models that a caller in `groups` can call, with the places that serve them.

    While the caller's groups cannot be told, what needs a group cannot be called either, and is left out.
    """
    shown = {
        model: [place for place in places if can_use(principal, groups, place.rules)] for model, places in names.items()
    }
    return {model: places for model, places in shown.items() if places}
