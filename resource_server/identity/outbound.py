"""How often Globus Auth may be asked, before anybody is known: floods of made-up tokens end here.

Tokens that were good a moment ago are not counted against their address, and the last part of the total is kept for
them: a flood slows down strangers only.
"""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

from resource_server.domain.errors import AuthUnavailable, RateLimited
from resource_server.identity.cache import BoundedCache
from resource_server.identity.settings import IdentitySettings

_STEADY_SHARE = 0.8
"""Of the cap per second; the rest is the burst, so that no one second ever sees more than the cap."""
_KEPT_FOR_KNOWN = 0.5
"""Of the burst."""


@dataclass(slots=True)
class _Bucket:
    """Turns that are left, as of a moment."""

    level: float
    as_of: float

    def fill(self, now: float, per_s: float, burst: float) -> None:
        self.level = min(burst, self.level + (now - self.as_of) * per_s)
        self.as_of = now


class OutboundLimit:
    """Counts introspections by address and in total; per process."""

    def __init__(self, settings: IdentitySettings, monotonic: Callable[[], float]) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self._per_s = settings.outbound_per_s * _STEADY_SHARE
        self._burst = max(1.0, settings.outbound_per_s - self._per_s)
        self._total = _Bucket(self._burst, monotonic())
        self._addresses: BoundedCache[_Bucket] = BoundedCache(settings.max_addresses)

    @property
    def addresses(self) -> int:
        """How many addresses are counted now."""
        return len(self._addresses)

    def check(self, address: str, *, is_known: bool) -> None:
        """Take a turn for one introspection.

        Raises:
            RateLimited: this address has presented too many unknown tokens; the fault is on its side.
            AuthUnavailable: the total is spent; the fault is not the caller's.
        """
        now = self._monotonic()
        if not is_known:
            self._check_address(_network(address), now)
        self._total.fill(now, self._per_s, self._burst)
        kept = 0.0 if is_known else min(self._burst * _KEPT_FOR_KNOWN, self._burst - 1.0)
        if self._total.level - kept < 1.0:
            raise AuthUnavailable("Too many logins are being checked: try again shortly.", retry_after_s=2)
        self._total.level -= 1.0

    def _check_address(self, network: str, now: float) -> None:
        burst = float(self._settings.unknown_per_address_burst)
        bucket = self._addresses.get(network)
        if bucket is None:
            bucket = _Bucket(burst, now)
            self._addresses.put(network, bucket)
        bucket.fill(now, self._settings.unknown_per_address_per_s, burst)
        if bucket.level < 1.0:
            raise RateLimited("Too many unknown access tokens from your address: try again shortly.", retry_after_s=1)
        bucket.level -= 1.0


def _network(address: str) -> str:
    """What one peer controls: an IPv4 address, or an IPv6 /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if parsed.version == 4:  # noqa: PLR2004 - IP version
        return str(parsed)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
