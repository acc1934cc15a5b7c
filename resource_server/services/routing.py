"""Everything that decides where a request goes, in one hand."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial

from resource_server.backends.base import Backend
from resource_server.domain.affinity import affinity_key
from resource_server.domain.catalogue import Place
from resource_server.domain.homes import Homes
from resource_server.domain.ranking import ANY_REQUEST, Candidate, RouteRequest, rank
from resource_server.domain.standing import Standing
from resource_server.services.approach import Approach
from resource_server.services.holding import Holding
from resource_server.services.standings import Standings
from resource_server.services.traffic import TargetTraffic, Traffic
from resource_server.state.base import State

TOKEN_S = 0.03
"""What a token of an answer takes, for a guess at how long a request will last."""


HOME_S = 1800.0
"""How long workers remember each other's homes; a framework's cache seldom lasts as long."""
MAX_SEED_DIGITS = 20


class Routing:
    """Ranks places for requests, and leads requests to them.

    Args:
        reported: where places stand, as far as is known from outside this process.
        owner: this process, among those that share `state`.
        last_resort: try offline and maintained places where nothing else is left.
    """

    def __init__(
        self,
        backends: Mapping[str, Backend],
        reported: Callable[[Place], Standing],
        state: State,
        owner: str,
        *,
        last_resort: bool = False,
    ) -> None:
        self._last_resort = last_resort
        self._key_value = state.key_value if state.shared else None
        self._homes = Homes()
        self._traffic = Traffic()
        self._standings = Standings(reported, self._traffic)
        self.holding = Holding(backends, self._standings.of, self._traffic, state, owner)

    def standing(self, place: Place) -> Standing:
        """Where the place stands, from memory."""
        return self._standings.of(place)

    def build_request(self, document: Mapping[str, object], sub: str) -> RouteRequest:
        """What of a request's body matters to the ranking."""
        tokens = document.get("max_completion_tokens") or document.get("max_tokens")
        expected_s = TOKEN_S * tokens if isinstance(tokens, int) else None
        return RouteRequest(cache(lambda: affinity_key(document, sub)), expected_s, self._homes)

    async def find_home(self, places: Sequence[Place], request: RouteRequest) -> None:
        """Learn from other workers where requests that begin like this one were served, if this one does not know."""
        if self._key_value is None or len(places) <= 1 or request.find_affinity_key is None:
            return
        key = request.find_affinity_key()
        if key is not None and self._homes.find(key) is None:
            seed = await self._key_value.get(_home(key))
            if seed is not None and seed.isdigit() and len(seed) <= MAX_SEED_DIGITS:
                self._homes.note(key, int(seed))

    async def _settle(self, request: RouteRequest, candidate: Candidate) -> None:
        """The candidate has begun to answer: where it should, its place is the home of what begins alike."""
        key = request.find_affinity_key() if candidate.settles and request.find_affinity_key is not None else None
        if key is None:
            return
        self._homes.note(key, candidate.place.seed)
        if self._key_value is not None:
            await self._key_value.set(_home(key), str(candidate.place.seed).encode(), HOME_S)

    def find_traffic(self, place: Place) -> TargetTraffic | None:
        """What this process knows of the place from its own requests; `None` before the first."""
        return self._traffic.find(place)

    def rank(self, places: Sequence[Place], request: RouteRequest = ANY_REQUEST) -> list[Candidate]:
        """The places that can answer, the best first."""
        return rank(places, self._standings.of, self._traffic.load, request, last_resort=self._last_resort)

    def approach(
        self, candidates: Sequence[Candidate], user: str, hold_s: float, request: RouteRequest = ANY_REQUEST
    ) -> Approach:
        """The way to the candidates for one request of this user."""
        settle = partial(self._settle, request)
        return Approach(self._traffic, self.holding, candidates, user=user, hold_s=hold_s, settle=settle)

    async def aclose(self) -> None:
        """End what is held."""
        await self.holding.aclose()


def _home(key: bytes) -> str:
    return f"home:{key.hex()}"
