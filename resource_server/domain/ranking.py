"""Which target answers: a pure function of the places, where they stand, how busy they are, and the request.

Hot with room, starting, queued, cold where nodes are free, cold; a full target comes after those with room and before
those that are not hot, for a bounded queue stands in front of it. `domain.equals` orders what is hot.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import islice
from math import inf

from resource_server.domain.catalogue import Place
from resource_server.domain.equals import Hot, by_affinity, by_two_choices
from resource_server.domain.homes import Homes
from resource_server.domain.load import Load
from resource_server.domain.standing import Standing
from resource_server.domain.states import ModelState

LAST_RESORTS = (ModelState.OFFLINE, ModelState.MAINTENANCE)
"""States that are tried only where nothing else is left, and the operator allows it."""

MOST = 8
"""Candidates of one request: what eight targets have refused, a ninth will not mend."""

_CHANCE = random.Random()  # noqa: S311 - balances load, guards nothing

_Found = list[tuple[Place, Standing]]


@dataclass(frozen=True, slots=True)
class RouteRequest:
    """What of a request matters to the ranking.

    Attributes:
        find_affinity_key: called once at most, where several hot places compete; see `domain.affinity.affinity_key`.
        expected_s: how long the answer will take; `None` where nobody can tell.
        homes: where keys were served. Only read here: whoever sees a candidate begin notes it there, if it `settles`.
    """

    find_affinity_key: Callable[[], bytes | None] | None = None
    expected_s: float | None = None
    homes: Homes | None = None


ANY_REQUEST = RouteRequest()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place worth trying, and why it stands where it does.

    Attributes:
        settles: the request's key had no home among the hot places; the one that begins to answer is its home.
    """

    place: Place
    state: ModelState
    eta_s: float | None = None
    choice: str = ""
    settles: bool = False

    @property
    def reason(self) -> str:
        """For the header and the log; formatted when somebody reads it. Tells nothing of other callers' work."""
        eta = "" if self.eta_s is None or self.state is ModelState.HOT else f", in about {self.eta_s:.0f} s"
        return f"{self.state}{eta}; {self.choice}"


def rank(  # noqa: PLR0913 - everything that it depends on is handed in
    places: Sequence[Place],
    standing_of: Callable[[Place], Standing],
    load_of: Callable[[Place], Load],
    request: RouteRequest = ANY_REQUEST,
    *,
    chance: random.Random = _CHANCE,
    last_resort: bool = False,
) -> list[Candidate]:
    """At most `MOST` places, the best first; empty where none can answer.

    Ties fall to the operator's order. Offline and maintenance are left out; with `last_resort` they are tried where
    nothing else is left.
    """
    if len(places) == 1 and standing_of(places[0]).state is ModelState.HOT:
        return [Candidate(places[0], ModelState.HOT, None, "the only target")]
    found = _by_state(places, standing_of)
    candidates = list(islice(_in_order(found, load_of, request, chance), MOST))
    if not candidates and last_resort:
        rest = (
            Candidate(place, state, None, "nothing else is left") for state in LAST_RESORTS for place, _ in found[state]
        )
        return list(islice(rest, MOST))
    return candidates


def _by_state(places: Iterable[Place], standing_of: Callable[[Place], Standing]) -> dict[ModelState, _Found]:
    found: dict[ModelState, _Found] = {state: [] for state in ModelState}
    hot = found[ModelState.HOT]  # looking a member up runs its __hash__ in Python, and most places are hot
    for place in places:
        standing = standing_of(place)
        (hot if standing.state is ModelState.HOT else found[standing.state]).append((place, standing))
    return found


def _in_order(
    found: dict[ModelState, _Found], load_of: Callable[[Place], Load], request: RouteRequest, chance: random.Random
) -> Iterator[Candidate]:
    yield from _hot(found[ModelState.HOT], load_of, request, chance)
    for state in (ModelState.STARTING, ModelState.QUEUED):
        yield from _soonest(found[state], state, "no target is hot with room")
    cold = found[ModelState.COLD]
    yield from _soonest([one for one in cold if one[1].free_nodes], ModelState.COLD, "its cluster has free nodes")
    yield from _soonest([one for one in cold if not one[1].free_nodes], ModelState.COLD, "nothing is nearer to serving")


def _soonest(found: _Found, state: ModelState, choice: str) -> Iterator[Candidate]:
    """By ETA, unknown ones last."""
    for place, standing in nsmallest(MOST, found, key=_eta) if found else ():
        yield Candidate(place, state, standing.eta_s, choice)


def _eta(found: tuple[Place, Standing]) -> float:
    eta_s = found[1].eta_s
    return inf if eta_s is None else eta_s


def _hot(
    found: _Found, load_of: Callable[[Place], Load], request: RouteRequest, chance: random.Random
) -> Iterator[Candidate]:
    if len(found) == 1:
        yield Candidate(found[0][0], ModelState.HOT, None, "the only hot target")
    if len(found) <= 1:
        return
    key = request.find_affinity_key() if request.find_affinity_key is not None else None
    home = request.homes.find(key) if key is not None and request.homes is not None else None
    settles = key is not None and (home is None or all(place.seed != home for place, _ in found))
    for tier, note in _tiers(found, load_of, request.expected_s):
        if key is None:
            ordered = by_two_choices(tier, MOST, chance)
        else:
            ordered = by_affinity(tier, int.from_bytes(key), home, MOST)
        for place, choice in ordered:
            yield Candidate(place, ModelState.HOT, None, f"{choice}{note}" if note else choice, settles)


def _tiers(
    found: _Found, load_of: Callable[[Place], Load], expected_s: float | None
) -> Iterator[tuple[list[Hot], str]]:
    """Those with room and time, those whose job may end first, those that are full."""
    ready: list[Hot] = []
    ending: list[Hot] = []
    full: list[Hot] = []
    for place, standing in found:
        load = load_of(place)
        if load.in_flight >= load.capacity:
            full.append((place, load))
        elif expected_s is not None and (left_s := standing.walltime_left_s) is not None and left_s < expected_s:
            ending.append((place, load))
        else:
            ready.append((place, load))
    yield ready, ""
    yield ending, ", although its job may end first"
    yield full, ", full"
