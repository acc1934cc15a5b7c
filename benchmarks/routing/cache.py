"""The prefix cache of one replica: blocks that requests hold, and idle ones, of which the oldest leave first."""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import islice


class PrefixCache:
    """Counts blocks. A block's id stands for its tokens and all before them, as vLLM's hashes do."""

    def __init__(self, blocks: int) -> None:
        self._room = blocks
        self._held: dict[int, int] = {}
        self._idle: OrderedDict[int, None] = OrderedDict()
        self._private = 0

    @property
    def used(self) -> int:
        """Blocks that somebody holds."""
        return len(self._held) + self._private

    def count_hits(self, blocks: Sequence[int]) -> int:
        """How many of the first blocks are here."""
        for position, block in enumerate(blocks):
            if block not in self._held and block not in self._idle:
                return position
        return len(blocks)

    def admit(self, blocks: Sequence[int], own: int) -> int | None:
        """Hold a request's first blocks and set `own` blocks aside besides what it misses.

        Returns how many were here; `None` where there is no room now, and nothing is held.
        """
        hits = self.count_hits(blocks)
        needed = len(blocks) - hits + own
        wakes = sum(1 for block in islice(blocks, hits) if block in self._idle)
        if self.used + wakes + needed > self._room:
            return None
        for block in islice(blocks, hits):
            self._hold(block)
        self._private += needed
        while self.used + len(self._idle) > self._room:
            self._idle.popitem(last=False)
        return hits

    def publish(self, blocks: Sequence[int]) -> list[int]:
        """Computed blocks can be found from now on; returns those that were not here, which stay held."""
        fresh = [block for block in blocks if block not in self._held and block not in self._idle]
        for block in fresh:
            self._held[block] = 1
        self._private -= len(fresh)
        return fresh

    def release(self, held: Sequence[int], private: int) -> None:
        """A request is over: its blocks are idle, the last ones to be forgotten first."""
        self._private -= private
        for block in reversed(held):
            self._held[block] -= 1
            if not self._held[block]:
                del self._held[block]
                self._idle[block] = None

    def _hold(self, block: int) -> None:
        self._idle.pop(block, None)
        self._held[block] = self._held.get(block, 0) + 1
