"""Why a model's requests go where they go: the ranking, told to an operator."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from resource_server.domain.catalogue import Place, Snapshot
from resource_server.domain.load import Load
from resource_server.domain.ranking import rank
from resource_server.domain.standing import Standing
from resource_server.domain.states import ModelState
from resource_server.services.access import Path
from resource_server.services.maintenance import describe_maintenance
from resource_server.status.board import Board


@dataclass(frozen=True, slots=True)
class Explained:
    """One place of a model.

    Attributes:
        turn: 1 for the one that is tried first; `None` where it is not tried.
        as_of: POSIX seconds of the cluster's word; `None` where there is none, and the place counts as hot.
        rules: who may use it, one text per rule; empty for everybody.
    """

    turn: int | None
    target: str
    state: ModelState
    eta_s: float | None
    as_of: float | None
    reason: str
    rules: tuple[str, ...]


class UnknownModel(Exception):
    """No such model; `near` are names like it."""

    def __init__(self, near: list[str]) -> None:
        super().__init__()
        self.near = near


def explain_route(snapshot: Snapshot, board: Board, path: Path, model: str, now: float) -> list[Explained]:
    """Every place of a model, the first to be tried first, for a caller who may use all of them.

    From what is written down: clusters' last reports and the catalogue. What a gateway process knows of its own, load,
    failures and compute endpoints that are offline, is not in it.

    Raises:
        UnknownModel: there is none of that name.
    """
    names = snapshot.names(path)
    places = names.get(model)
    if places is None:
        raise UnknownModel(get_close_matches(model, names, cutoff=0.4))

    def standing_of(place: Place) -> Standing:
        if place.cluster.is_in_maintenance(now):
            return Standing(ModelState.MAINTENANCE)
        return board.standing(place, ModelState.HOT)

    candidates = rank(places, standing_of, lambda place: Load(0, place.target.max_concurrency))
    tried = {id(candidate.place): (turn, candidate.reason) for turn, candidate in enumerate(candidates, 1)}
    found = [_explain(place, standing_of(place), tried.get(id(place))) for place in places]
    return sorted(found, key=lambda each: (each.turn is None, each.turn or 0))


def _explain(place: Place, standing: Standing, turn: tuple[int, str] | None) -> Explained:
    number, reason = turn or (None, _find_reason(place, standing))
    return Explained(
        turn=number,
        target="/".join(place.key),
        state=standing.state,
        eta_s=standing.eta_s,
        as_of=standing.as_of,
        reason=reason,
        rules=tuple(_describe_rules(place)),
    )


def _find_reason(place: Place, standing: Standing) -> str:
    if standing.state is ModelState.MAINTENANCE:
        return describe_maintenance(place.cluster)
    return "enough others come before it"


def _describe_rules(place: Place) -> Iterable[str]:
    for rule in place.rules:
        if rule.group_ids:
            yield f"a group of {', '.join(sorted(rule.group_ids))}"
        if rule.domains:
            yield f"a user of {', '.join(sorted(rule.domains))}"
