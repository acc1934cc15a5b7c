"""From a bearer token to a caller: this process's memory, then the workers' shared cache, then Globus Auth."""

import hashlib
import logging
import re

from resource_server.domain.errors import AccessDenied, AuthenticationFailed, AuthUnavailable, RateLimited
from resource_server.domain.principal import Principal
from resource_server.identity.base import Clock, GlobusIdentity, GlobusUnavailable, IdentityStats
from resource_server.identity.breaker import Breaker, build_unavailable
from resource_server.identity.groups import GroupReader
from resource_server.identity.outbound import OutboundLimit
from resource_server.identity.rules import check_membership
from resource_server.identity.settings import IdentitySettings
from resource_server.identity.shared import SharedCache
from resource_server.identity.single_flight import SingleFlight
from resource_server.identity.tokens import TokenCache, Verdict, check_verdict
from resource_server.state.base import KeyValue

logger = logging.getLogger(__name__)

_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/=-]{1,2048})", re.IGNORECASE)


class VerifiedCaller:
    """A caller with the token at hand, for the length of one request; nothing keeps the token longer."""

    __slots__ = ("_groups", "_token", "principal")

    def __init__(self, principal: Principal, token: str, groups: GroupReader) -> None:
        self.principal = principal
        self._token = token
        self._groups = groups

    async def groups(self) -> frozenset[str]:
        """See `Caller.groups`."""
        return await self._groups.get(self.principal.token_hash, self._token)


class Verifier:
    """The `Authenticator` of production.

    Args:
        settings: rules and bounds.
        globus: who is asked; closed with the verifier.
        key_value: where workers share what they know.
        secret: the installation's secret, from which the key of shared entries is derived.
        clock: for tests.
    """

    def __init__(
        self,
        settings: IdentitySettings,
        globus: GlobusIdentity,
        key_value: KeyValue,
        secret: bytes,
        clock: Clock | None = None,
    ) -> None:
        self._settings = settings
        self._globus = globus
        self._clock = clock or Clock()
        self.stats = IdentityStats()
        shared = SharedCache(key_value, secret, _context(settings), self._clock.now)
        self._tokens = TokenCache(settings, shared, self._clock, self.stats)
        self._groups = GroupReader(settings, globus, shared, self._clock, self.stats)
        self._outbound = OutboundLimit(settings, self._clock.monotonic)
        self._breaker = Breaker("globus_auth", settings.total_timeout_s, self._clock.monotonic)
        self._flight: SingleFlight[Verdict] = SingleFlight()

    def find_cached(self, authorization: str | None) -> VerifiedCaller | None:
        """See `Authenticator.find_cached`."""
        match = _BEARER.fullmatch(authorization or "")
        if match is None:
            return None
        token = match[1]
        token_hash = hash_token(token)
        verdict = self._tokens.find_fresh(token_hash)
        if verdict is None or verdict.principal is None or not self._is_known_member(token_hash):
            return None
        self.stats.cached += 1
        return VerifiedCaller(verdict.principal, token, self._groups)

    async def authenticate(self, authorization: str | None, client_address: str) -> VerifiedCaller:
        """See `Authenticator.authenticate`."""
        cached = self.find_cached(authorization)
        if cached is not None:
            return cached
        token = parse_bearer(authorization)
        token_hash = hash_token(token)
        verdict = self._tokens.find_fresh(token_hash) or await self._flight.run(
            token_hash, lambda: self._verify(token_hash, token, client_address)
        )
        principal = check_verdict(verdict, token_hash, self._settings, self._clock.now())
        caller = VerifiedCaller(principal, token, self._groups)
        if self._settings.group_ids:
            try:
                check_membership(await caller.groups(), self._settings)
            except AccessDenied as error:
                error.principal = principal
                raise
        return caller

    def failing(self) -> list[str]:
        """See `Authenticator.failing`."""
        services = (("globus_auth", self._breaker), ("globus_groups", self._groups))
        return [name for name, service in services if service.is_failing()]

    async def aclose(self) -> None:
        """Cancel what waits for Globus, then close the way to it."""
        await self._flight.aclose()
        await self._groups.aclose()
        await self._globus.aclose()

    def _is_known_member(self, token_hash: str) -> bool:
        if not self._settings.group_ids:
            return True
        group_ids = self._groups.find_fresh(token_hash)
        return group_ids is not None and not self._settings.group_ids.isdisjoint(group_ids)

    async def _verify(self, token_hash: str, token: str, client_address: str) -> Verdict:
        known = await self._tokens.find_usable(token_hash)
        if known is not None and known.is_fresh(self._clock.monotonic()):
            return known.value
        is_known = known is not None and known.value.principal is not None
        try:
            return await self._introspect(token_hash, token, client_address, is_known=is_known)
        except GlobusUnavailable as exc:
            self.stats.introspection_failures += 1
            logger.warning("introspection not answered: %s", exc)
            now = self._clock.monotonic()
            if known is None or not known.is_usable(now):
                raise build_unavailable("Globus Auth", exc) from exc
            self.stats.stale_served += 1
            known.prolong(now + self._settings.retry_pause_s)
            return known.value

    async def _introspect(self, token_hash: str, token: str, client_address: str, *, is_known: bool) -> Verdict:
        self._breaker.check()
        try:
            self._outbound.check(client_address, is_known=is_known)
        except (RateLimited, AuthUnavailable):
            self.stats.held_back += 1
            raise
        self.stats.introspections += 1
        asked_at = self._clock.now()
        document = await self._breaker.run(lambda: self._globus.introspect(token))
        return await self._tokens.remember(token_hash, document, asked_at)


def parse_bearer(authorization: str | None) -> str:
    """The token of an ``Authorization`` header. Raises `AuthenticationFailed`."""
    if not authorization:
        raise AuthenticationFailed("No access token: send the header 'Authorization: Bearer <Globus access token>'.")
    match = _BEARER.fullmatch(authorization)
    if match is None:
        raise AuthenticationFailed("The Authorization header must read 'Bearer <Globus access token>'.")
    return match[1]


def hash_token(token: str) -> str:
    """SHA-256, hex: what stands for a token wherever one is remembered."""
    return hashlib.sha256(token.encode()).hexdigest()


def _context(settings: IdentitySettings) -> str:
    """Introspections made for another application or other policies are answers to other questions."""
    return " ".join([settings.application_id, *sorted(settings.policy_ids)])
