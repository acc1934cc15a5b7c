"""What workers tell each other about tokens: authenticated JSON in the shared key-value store.

A value is ``<HMAC-SHA256, hex>.<JSON>``. The JSON names its kind and its token's hash, so that a value under another
key, of another installation, or written by somebody without the secret is no value.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import orjson

from resource_server.state.base import KeyValue

_MAX_BYTES = 1 << 19
_MAX_SKEW_S = 5.0
"""By how much another worker's clock may be ahead before its entries are ignored."""
_MAC_CHARS = hashlib.sha256().digest_size * 2


@dataclass(frozen=True, slots=True)
class SharedAnswer:
    """A JSON value, and the POSIX seconds at which Globus was asked for it."""

    value: object
    asked_at: float


class SharedCache:
    """Answers about tokens, shared by the workers of one installation.

    Args:
        key_value: where they are kept.
        secret: the installation's secret; the key is derived from it.
        context: what the answers depend on beside the token, such as the policies asked for.
        now: POSIX seconds.
    """

    def __init__(self, key_value: KeyValue, secret: bytes, context: str, now: Callable[[], float]) -> None:
        self._key_value = key_value
        self._now = now
        self._key = hmac.digest(secret, f"identity cache 1 {context}".encode(), "sha256")

    async def get(self, kind: str, token_hash: str) -> SharedAnswer | None:
        """What a worker has shared; `None` where there is nothing to trust."""
        sealed = await self._key_value.get(_name(kind, token_hash))
        if sealed is None or not _MAC_CHARS < len(sealed) <= _MAX_BYTES:
            return None
        mac, body = sealed[:_MAC_CHARS], sealed[_MAC_CHARS + 1 :]
        if not hmac.compare_digest(mac, self._mac(body)):
            return None
        document = cast("dict[str, object]", orjson.loads(body))  # ours: the HMAC says so
        asked_at = cast("float", document["asked_at"])
        if (document["kind"], document["token_hash"]) != (kind, token_hash) or asked_at > self._now() + _MAX_SKEW_S:
            return None
        return SharedAnswer(document["value"], asked_at)

    async def put(self, kind: str, token_hash: str, value: object, asked_at: float, ttl_s: float) -> None:
        """Share `value` (JSON) for `ttl_s` seconds; `asked_at` in POSIX seconds."""
        body = orjson.dumps({"kind": kind, "token_hash": token_hash, "asked_at": asked_at, "value": value})
        if ttl_s > 0 and len(body) < _MAX_BYTES - _MAC_CHARS:
            await self._key_value.set(_name(kind, token_hash), self._mac(body) + b"." + body, ttl_s)

    async def drop(self, kind: str, token_hash: str) -> None:
        """Share it no longer."""
        await self._key_value.delete(_name(kind, token_hash))

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256").hex().encode()


def _name(kind: str, token_hash: str) -> str:
    return f"identity:{kind}:{token_hash}"
