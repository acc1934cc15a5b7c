"""A caller's Globus groups: asked for only where a rule needs them, and kept within their bounds."""

import logging

from resource_server.domain.errors import AuthenticationFailed
from resource_server.identity.base import (
    Clock,
    ConsentMissing,
    GlobusIdentity,
    GlobusUnavailable,
    IdentityStats,
    TokenRefused,
)
from resource_server.identity.breaker import Breaker, build_unavailable
from resource_server.identity.cache import Answer, BoundedCache
from resource_server.identity.rules import CONSENT_REQUIRED, require_login
from resource_server.identity.settings import GROUPS_SCOPE, IdentitySettings
from resource_server.identity.shared import SharedCache
from resource_server.identity.single_flight import SingleFlight

logger = logging.getLogger(__name__)

_KIND = "groups"
GroupIds = frozenset[str]


class GroupReader:
    """Group UUIDs by token hash: two tokens of one person may differ in what they let the gateway read."""

    def __init__(
        self,
        settings: IdentitySettings,
        globus: GlobusIdentity,
        shared: SharedCache,
        clock: Clock,
        stats: IdentityStats,
    ) -> None:
        self._settings = settings
        self._globus = globus
        self._shared = shared
        self._clock = clock
        self._stats = stats
        self._breaker = Breaker("globus_groups", settings.total_timeout_s, clock.monotonic)
        self._flight: SingleFlight[GroupIds] = SingleFlight()
        self._answers: BoundedCache[Answer[GroupIds]] = BoundedCache(settings.max_tokens)

    def find_fresh(self, token_hash: str) -> GroupIds | None:
        """The groups, if this process knows them freshly."""
        answer = self._answers.get(token_hash)
        return answer.value if answer is not None and answer.is_fresh(self._clock.monotonic()) else None

    async def get(self, token_hash: str, token: str) -> GroupIds:
        """The groups. Raises as `Caller.groups`."""
        known = self.find_fresh(token_hash)
        if known is not None:
            return known
        return await self._flight.run(token_hash, lambda: self._fetch(token_hash, token))

    def is_failing(self) -> bool:
        """Whether Globus Groups did not answer when it was last asked."""
        return self._breaker.is_failing()

    async def aclose(self) -> None:
        """Stop asking."""
        await self._flight.aclose()

    async def _fetch(self, token_hash: str, token: str) -> GroupIds:
        answer = await self._find_usable(token_hash)
        if answer is not None and answer.is_fresh(self._clock.monotonic()):
            return answer.value
        try:
            return await self._ask(token_hash, token)
        except GlobusUnavailable as exc:
            self._stats.group_call_failures += 1
            logger.warning("groups not answered: %s", exc)
            now = self._clock.monotonic()
            if answer is None or not answer.is_usable(now):
                raise build_unavailable("Globus Groups", exc) from exc
            self._stats.stale_served += 1
            answer.prolong(now + self._settings.retry_pause_s)
            return answer.value

    async def _ask(self, token_hash: str, token: str) -> GroupIds:
        asked_at = self._clock.now()
        self._stats.group_calls += 1
        try:
            ids = await self._breaker.run(lambda: self._globus.active_group_ids(token))
        except TokenRefused as exc:
            raise AuthenticationFailed("The access token has been revoked or has expired: get a new one.") from exc
        except ConsentMissing as exc:
            raise require_login(
                "This service needs your consent to see your Globus groups: log in again.",
                code=CONSENT_REQUIRED,
                required_scopes=exc.required_scopes or [f"{self._settings.scopes[0]}[{GROUPS_SCOPE}]"],
            ) from exc
        await self._shared.put(_KIND, token_hash, sorted(ids), asked_at, self._settings.groups_max_stale_s)
        return self._keep(token_hash, frozenset(ids), asked_at).value

    async def _find_usable(self, token_hash: str) -> Answer[GroupIds] | None:
        answer = self._answers.get(token_hash)
        found = await self._shared.get(_KIND, token_hash)
        if found is not None and isinstance(found.value, list):
            answer = self._keep(token_hash, frozenset(found.value), found.asked_at)
        return answer

    def _keep(self, token_hash: str, ids: GroupIds, asked_at: float) -> Answer[GroupIds]:
        asked = self._clock.monotonic() - max(0.0, self._clock.now() - asked_at)
        answer = Answer(ids, asked + self._settings.groups_ttl_s, asked + self._settings.groups_max_stale_s)
        self._answers.put(token_hash, answer)
        return answer
