"""Tickets: what lets a compute node post to one stream, and to nothing else (``docs/relay-protocol.md``)."""

import hmac
import time
from collections.abc import Callable, Iterable
from hashlib import sha256

_PURPOSE = b"relay ticket 1"


class Tickets:
    """Issues and verifies tickets under a key derived from the master secret.

    Args:
        secret: the gateway's master secret; no other purpose derives the same key from it.
        former: master secrets that it replaced, whose tickets are still about.
        clock: POSIX seconds.
    """

    def __init__(self, secret: bytes, former: Iterable[bytes] = (), *, clock: Callable[[], float] = time.time) -> None:
        self._key, *self._former = (hmac.digest(each, _PURPOSE, "sha256") for each in (secret, *former))
        self._clock = clock

    def issue(self, stream_id: str, target_key: str, lifetime_s: float) -> str:
        """A ticket for this stream, whose function runs at `target_key`, good for `lifetime_s` seconds."""
        expiry = str(int(self._clock() + lifetime_s))
        return _sign(self._key, stream_id, sha256(target_key.encode()).hexdigest()[:16], expiry)

    def is_genuine(self, stream_id: str, ticket: str) -> bool:
        """Whether the ticket was issued for this stream and has not ended."""
        expiry, _, rest = ticket.partition(".")
        target, _, _ = rest.partition(".")
        shown = ticket.encode(errors="replace")
        for key in (self._key, *self._former):
            if hmac.compare_digest(_sign(key, stream_id, target, expiry).encode(errors="replace"), shown):
                return int(expiry) > self._clock()
        return False


def _sign(key: bytes, stream_id: str, target: str, expiry: str) -> str:
    signed = f"{stream_id}|{target}|{expiry}".encode(errors="replace")
    return f"{expiry}.{target}.{hmac.digest(key, signed, 'sha256').hex()}"
