"""How often Globus Auth may be asked, before anybody is known: floods of made-up tokens end here.

Tokens that were good a moment ago are not counted against their address, and the last part of every second is theirs: a
flood slows down strangers only.
"""

import ipaddress
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from resource_server.domain.errors import AuthUnavailable, RateLimited
from resource_server.identity.cache import BoundedCache
from resource_server.identity.settings import IdentitySettings

_SHARE_OF_STRANGERS = 0.7


@dataclass(slots=True)
class _Bucket:
    """Turns that are left to one address, as of a moment."""

    level: float
    as_of: float


class OutboundLimit:
    """Counts introspections by address and in total; per process."""

    def __init__(self, settings: IdentitySettings, monotonic: Callable[[], float]) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self._last_second: deque[float] = deque()
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
        self._check_total(now, 1.0 if is_known else _SHARE_OF_STRANGERS)

    def _check_total(self, now: float, share: float) -> None:
        while self._last_second and self._last_second[0] <= now - 1.0:
            self._last_second.popleft()
        if len(self._last_second) >= max(1.0, self._settings.outbound_per_s * share):
            raise AuthUnavailable("Too many logins are being checked: try again shortly.", retry_after_s=2)
        self._last_second.append(now)

    def _check_address(self, network: str, now: float) -> None:
        burst = float(self._settings.unknown_per_address_burst)
        bucket = self._addresses.get(network) or _Bucket(burst, now)
        self._addresses.put(network, bucket)
        earned = (now - bucket.as_of) * self._settings.unknown_per_address_per_s
        bucket.level, bucket.as_of = min(burst, bucket.level + earned), now
        if bucket.level < 1.0:
            raise RateLimited("Too many unknown access tokens from your address: try again shortly.", retry_after_s=1)
        bucket.level -= 1.0


def _network(address: str) -> str:
    """What one peer controls: an IPv4 address, or an IPv6 /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:  # how a dual-stack socket shows IPv4 peers
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
