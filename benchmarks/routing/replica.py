"""One framework on its GPUs: continuous batching with chunked prefill and a prefix cache, a step at a time."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush

from benchmarks.routing.assumptions import Assumptions
from benchmarks.routing.cache import PrefixCache
from benchmarks.routing.clock import Clock
from benchmarks.routing.traffic import Ask

Done = Callable[[Ask], None]


@dataclass(slots=True, eq=False)
class _Running:
    ask: Ask
    done: Done
    left: int  # prompt tokens to compute
    missed: list[int]  # prompt blocks to publish once computed
    held: list[int] = field(default_factory=list)
    private: int = 0
    length: int = 0


class Replica:
    """Serves what it is given, first come first served."""

    def __init__(self, assumed: Assumptions, clock: Clock) -> None:
        self._assumed = assumed
        self._clock = clock
        self._cache = PrefixCache(assumed.blocks(assumed.cache_tokens))
        self._waiting: deque[tuple[Ask, Done]] = deque()
        self._prefilling: deque[_Running] = deque()
        self._decoding: list[tuple[int, int, _Running]] = []  # a heap by the step of the last token
        self._context_tokens = 0
        self._step = 0
        self._started = 0
        self._busy = False
        self._dead = False
        self.produced_tokens = 0
        self.prefilled_tokens = 0

    def submit(self, ask: Ask, done: Done) -> None:
        """Queue a request; `done` is called when it ends, whole or broken."""
        self._waiting.append((ask, done))
        if not self._busy:
            self._begin_step()

    def kill(self) -> None:
        """The job ends: whatever runs or waits is broken off."""
        self._dead = True
        ended = [*self._waiting, *((one.ask, one.done) for one in self._prefilling)]
        ended += [(one.ask, one.done) for _, _, one in self._decoding]
        for ask, done in ended:
            ask.broken = True
            done(ask)

    def _begin_step(self) -> None:
        self._admit()
        self._busy = bool(self._prefilling or self._decoding)
        if not self._busy or self._dead:
            return
        assumed = self._assumed
        budget = int(assumed.step_budget_tokens) - len(self._decoding)
        computed = self._prefill(budget)
        seconds = assumed.decode_step_s + self._context_tokens * assumed.decode_s_per_context_token
        self.prefilled_tokens += computed
        self._clock.after(seconds + computed / assumed.prefill_tokens_per_s, self._end_step)

    def _admit(self) -> None:
        while self._waiting and len(self._prefilling) + len(self._decoding) < self._assumed.max_sequences:
            ask, done = self._waiting[0]
            # Half of the answer is there on average; what it adds in the end has to fit as well.
            own = max(self._assumed.blocks(ask.output_tokens / 2), len(ask.answer_blocks)) + 1
            hits = self._cache.admit(ask.blocks, own)
            if hits is None:
                return
            self._waiting.popleft()
            # The last token is always computed: its logits are the first answer.
            ask.hit_tokens = min(int(hits * self._assumed.block_tokens), ask.prompt_tokens - 1)
            left, missed = ask.prompt_tokens - ask.hit_tokens, ask.blocks[hits:]
            self._prefilling.append(_Running(ask, done, left, missed, ask.blocks[:hits], own + len(missed)))

    def _prefill(self, budget: int) -> int:
        computed = 0
        for one in self._prefilling:
            chunk = min(one.left, budget - computed)
            one.left -= chunk
            computed += chunk
            if computed >= budget:
                break
        return computed

    def _end_step(self) -> None:
        if self._dead:
            return
        self._step += 1
        self._context_tokens += len(self._decoding)
        self.produced_tokens += len(self._decoding)
        while self._prefilling and not self._prefilling[0].left:
            self._first_token(self._prefilling.popleft())
        while self._decoding and self._decoding[0][0] <= self._step:
            self._finish(heappop(self._decoding)[2])
        self._begin_step()

    def _first_token(self, one: _Running) -> None:
        one.ask.first_token_at = self._clock.now_s
        self._publish(one, one.missed)
        self._context_tokens += one.ask.prompt_tokens + 1
        self.produced_tokens += 1
        self._started += 1
        heappush(self._decoding, (self._step + one.ask.output_tokens - 1, self._started, one))

    def _finish(self, one: _Running) -> None:
        self._context_tokens -= one.ask.prompt_tokens + one.ask.output_tokens
        self._publish(one, one.ask.answer_blocks)
        self._cache.release(one.held, one.private)
        one.ask.done_at = self._clock.now_s
        one.done(one.ask)

    def _publish(self, one: _Running, blocks: list[int]) -> None:
        fresh = self._cache.publish(blocks)
        one.held += fresh
        one.private -= len(fresh)
