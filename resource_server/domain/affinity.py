"""Which requests belong together, and where: the framework's prefix cache is found by whoever comes back to it.

A key says what a request begins with; a weight says how much a place suits a key (rendezvous hashing: Thaler and
Ravishankar, 1998). Both are the same in every worker, without anything shared.
"""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from heapq import nlargest

KEY_BYTES = 8
READ_CHARS = 1024
"""So much of a text's head, and of its tail, tells it from others; a request's cost does not grow with its body."""
_HISTORY = 3
"""A body with so many messages repeats a conversation."""
_TOKENS = 256
_ODD, _MASK = 0x9E3779B97F4A7C15, (1 << 64) - 1  # 2^64 over the golden ratio: Fibonacci hashing


def affinity_key(document: Mapping[str, object], sub: str = "") -> bytes | None:
    """What the request shares with those before it: its session, its user, else how it begins.

    `sub` is mixed in: callers neither share a cache (each has a salt of its own) nor can they aim at another's place.
    `None` where there is nothing to go by.
    """
    for name in ("session_id", "user"):
        value = document.get(name)
        if isinstance(value, str) and value:
            return _digest(sub, name, value[:READ_CHARS])
    parts = list(_opening(document))
    return _digest(sub, "", *parts) if parts else None


def _opening(document: Mapping[str, object]) -> Iterator[str]:
    messages = document.get("messages")
    if isinstance(messages, list) and messages:
        yield from _opening_of(messages)
    elif text := _text(document.get("prompt")):
        yield text[:READ_CHARS]  # its tail is the question


def _opening_of(messages: list[object]) -> Iterator[str]:
    """The first two messages; the first alone where it is long and nothing is repeated after it.

    Many questions under one long text find it in a cache; a conversation finds itself there.
    """
    first = _content(messages[0])
    yield from _ends(first)
    if len(messages) > 1 and (len(first) < READ_CHARS or len(messages) >= _HISTORY):
        yield from _ends(_content(messages[1]))


def _ends(text: str) -> Iterator[str]:
    yield f"{len(text)}"
    yield text[:READ_CHARS]
    if len(text) > READ_CHARS:
        yield text[-READ_CHARS:]


def _content(message: object) -> str:
    return _text(message.get("content")) if isinstance(message, dict) else ""


def _text(value: object) -> str:
    """A text, the first of several parts, or the beginning of a list of token ids."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not value:
        return ""
    first = value[0]
    if isinstance(first, dict):
        return _text(first.get("text"))
    return _text(first) if isinstance(first, str | list) else ",".join(map(str, value[:_TOKENS]))


def _digest(*parts: str) -> bytes:
    """Of the parts, told apart by their lengths: no part can pass for two."""
    digest = blake2b(digest_size=KEY_BYTES)
    for part in parts:
        data = part.encode(errors="surrogatepass")
        digest.update(len(data).to_bytes(4, "big") + data)
    return digest.digest()


def build_seed(*names: str) -> int:
    """What stands for a place in its weights: the same in every process."""
    return int.from_bytes(_digest(*names))


def heaviest(seeds: Iterable[int], key: int, most: int) -> list[int]:
    """The positions of the `most` places that suit `key` best, the best first; `seeds` are the places'.

    A multiplication mixes well enough (a test counts) at a tenth of the price of a digest: 1,000 places are weighed for
    one request.
    """
    weights = [(seed ^ key) * _ODD & _MASK for seed in seeds]
    return nlargest(most, range(len(weights)), key=weights.__getitem__)
