"""Which target answers: a pure function of the places and their states."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from resource_server.domain.catalogue import Place
from resource_server.domain.states import ModelState


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place worth trying, and why it stands where it does."""

    place: Place
    state: ModelState
    reason: str


def rank(places: Iterable[Place], state_of: Callable[[Place], ModelState]) -> list[Candidate]:
    """The places that can answer, in the operator's order; offline and maintenance are left out."""
    candidates = []
    for position, place in enumerate(places):
        state = ModelState.MAINTENANCE if place.cluster.maintenance else state_of(place)
        if state not in {ModelState.OFFLINE, ModelState.MAINTENANCE}:
            candidates.append(Candidate(place, state, f"{state}; target {position + 1} in the operator's order"))
    return candidates
