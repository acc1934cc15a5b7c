"""Where requests that begin alike were served last: what a worker remembers of the caches it has filled."""

from collections import OrderedDict


class Homes:
    """The place of each of the last `most` keys; the one unused longest is forgotten first. For one thread.

    Losing it costs a few misses in a framework's cache: in another worker a key finds one of the same few places.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._seeds: OrderedDict[bytes, int] = OrderedDict()

    def find(self, key: bytes) -> int | None:
        """The `seed` of the place that served the key last; `None` where it is not remembered."""
        seed = self._seeds.get(key)
        if seed is not None:
            self._seeds.move_to_end(key)
        return seed

    def note(self, key: bytes, seed: int) -> None:
        """The place of `seed` has begun to answer a request of this key that had no home."""
        self._seeds[key] = seed
        self._seeds.move_to_end(key)
        if len(self._seeds) > self._most:
            self._seeds.popitem(last=False)
