"""Everything that decides where a request goes, in one hand."""

from collections.abc import Callable, Mapping, Sequence

from resource_server.backends.base import Backend
from resource_server.domain.affinity import affinity_key
from resource_server.domain.catalogue import Place
from resource_server.domain.ranking import ANY_REQUEST, Candidate, RouteRequest, rank
from resource_server.domain.standing import Standing
from resource_server.services.approach import Approach
from resource_server.services.holding import Holding
from resource_server.services.standings import Standings
from resource_server.services.traffic import TargetTraffic, Traffic
from resource_server.state.base import State

TOKEN_S = 0.03
"""What a token of an answer takes, for a guess at how long a request will last."""


def build_route_request(document: Mapping[str, object], sub: str) -> RouteRequest:
    """What of a request's body matters to the ranking."""
    tokens = document.get("max_completion_tokens") or document.get("max_tokens")
    expected_s = TOKEN_S * tokens if isinstance(tokens, int) else None
    return RouteRequest(find_affinity_key=lambda: affinity_key(document, sub), expected_s=expected_s)


class Routing:
    """Ranks places for requests, and leads requests to them.

    Args:
        reported: where places stand, as far as is known from outside this process.
        owner: this process, among those that share `state`.
    """

    def __init__(
        self, backends: Mapping[str, Backend], reported: Callable[[Place], Standing], state: State, owner: str
    ) -> None:
        self._traffic = Traffic()
        self._standings = Standings(reported, self._traffic)
        self.holding = Holding(backends, self._standings.of, self._traffic, state, owner)

    def standing(self, place: Place) -> Standing:
        """Where the place stands, from memory."""
        return self._standings.of(place)

    def find_traffic(self, place: Place) -> TargetTraffic | None:
        """What this process knows of the place from its own requests; `None` before the first."""
        return self._traffic.find(place)

    def rank(self, places: Sequence[Place], request: RouteRequest = ANY_REQUEST) -> list[Candidate]:
        """The places that can answer, the best first."""
        return rank(places, self._standings.of, self._traffic.load, request)

    def approach(self, candidates: Sequence[Candidate], user: str, hold_s: float) -> Approach:
        """The way to the candidates for one request of this user."""
        return Approach(self._traffic, self.holding, candidates, user, hold_s)

    async def aclose(self) -> None:
        """End what is held."""
        await self.holding.aclose()
