"""What is known about tokens, by the SHA-256 of the token: in this process, and shared by the workers."""

from dataclasses import dataclass

from resource_server.domain.errors import AccessDenied, AuthenticationFailed
from resource_server.domain.principal import Principal
from resource_server.identity.base import Clock, IdentityStats
from resource_server.identity.cache import Answer, BoundedCache
from resource_server.identity.claims import Claims, build_principal, encode_claims, parse_introspection
from resource_server.identity.rules import assurance_ends_at, check_admission, check_token
from resource_server.identity.settings import IdentitySettings
from resource_server.identity.shared import SharedCache

_KIND = "token"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one introspection means for the token.

    Attributes:
        principal: the caller; `None` where the token or the caller is refused (`check_verdict` says why).
        refused_claims: what Globus said of a token that lives but is refused.
    """

    principal: Principal | None
    refused_claims: Claims | None = None


def check_verdict(verdict: Verdict, token_hash: str, settings: IdentitySettings, now: float) -> Principal:
    """The caller. Raises `AuthenticationFailed`, `AccessDenied`; `now` in POSIX seconds."""
    if verdict.principal is not None:
        return verdict.principal
    return _admit(verdict.refused_claims, token_hash, settings, now)


class TokenCache:
    """Verdicts with their bounds. Refused tokens have a place of their own: they push no good token out."""

    def __init__(self, settings: IdentitySettings, shared: SharedCache, clock: Clock, stats: IdentityStats) -> None:
        self._settings = settings
        self._shared = shared
        self._clock = clock
        self._stats = stats
        self._admitted: BoundedCache[Answer[Verdict]] = BoundedCache(settings.max_tokens)
        self._refused: BoundedCache[Answer[Verdict]] = BoundedCache(settings.max_tokens)

    def find_fresh(self, token_hash: str) -> Verdict | None:
        """The verdict that may be used without asking anybody."""
        answer = self._admitted.get(token_hash) or self._refused.get(token_hash)
        return answer.value if answer is not None and answer.is_fresh(self._clock.monotonic()) else None

    async def find_usable(self, token_hash: str) -> Answer[Verdict] | None:
        """The youngest verdict of this process or any other that may still be used if Globus is away."""
        answer = self._admitted.get(token_hash)
        now = self._clock.monotonic()
        if answer is None or not answer.is_fresh(now):
            answer = await self._load(token_hash) or answer
        return answer if answer is not None and answer.is_usable(now) else None

    async def remember(self, token_hash: str, document: object, asked_at: float) -> Verdict:
        """Keep and share Globus's answer; `asked_at` (POSIX seconds) is when the question was sent.

        Raises:
            ClaimsInvalid: the answer is no introspection document.
        """
        claims = parse_introspection(document)
        self._stats.inactive += claims is None
        answer = self._keep(token_hash, claims, asked_at)
        kept_s = answer.usable_until - self._clock.monotonic()
        encoded = encode_claims(claims) if claims else {"active": False}
        await self._shared.put(_KIND, token_hash, encoded, asked_at, kept_s)
        return answer.value

    def forget(self, token_hash: str) -> None:
        """Know nothing of the token in this process; what workers share ends by itself."""
        self._admitted.discard(token_hash)
        self._refused.discard(token_hash)

    async def _load(self, token_hash: str) -> Answer[Verdict] | None:
        found = await self._shared.get(_KIND, token_hash)
        if found is None:
            return None
        self._stats.shared_hits += 1
        return self._keep(token_hash, parse_introspection(found.value), found.asked_at)

    def _keep(self, token_hash: str, claims: Claims | None, asked_at: float) -> Answer[Verdict]:
        now = self._clock.now()
        verdict = _judge(claims, token_hash, self._settings, now)
        fresh_s = usable_s = self._settings.inactive_ttl_s
        if claims is not None and verdict.principal is not None:
            fresh_s, usable_s = self._lifetimes(claims, asked_at)
        asked = self._clock.monotonic() - max(0.0, now - asked_at)
        answer = Answer(verdict, asked + fresh_s, asked + usable_s)
        keep, drop = (self._admitted, self._refused) if verdict.principal else (self._refused, self._admitted)
        keep.put(token_hash, answer)
        drop.discard(token_hash)
        return answer

    def _lifetimes(self, claims: Claims, asked_at: float) -> tuple[float, float]:
        """Seconds from asking for which an admitted token is fresh, and usable."""
        settings = self._settings
        ends_at = claims.exp
        if settings.assurance_timeout_s is not None:
            ends_at = min(ends_at, assurance_ends_at(claims, settings, asked_at) or ends_at)
        fresh_s = min(settings.introspection_ttl_s, ends_at - asked_at)
        return fresh_s, max(fresh_s, min(settings.grace_s, ends_at - asked_at))


def _admit(claims: Claims | None, token_hash: str, settings: IdentitySettings, now: float) -> Principal:
    if claims is None:
        raise AuthenticationFailed("The access token is unknown, expired or revoked: get a new one.")
    check_token(claims, settings, now)
    principal = build_principal(claims, token_hash)
    try:
        check_admission(claims, settings, now)
    except AccessDenied as error:
        error.principal = principal
        raise
    return principal


def _judge(claims: Claims | None, token_hash: str, settings: IdentitySettings, now: float) -> Verdict:
    try:
        return Verdict(_admit(claims, token_hash, settings, now))
    except (AuthenticationFailed, AccessDenied):
        return Verdict(None, refused_claims=claims)
