"""Who asks for what, seeded: many questions on long contexts, and conversations."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks.routing.assumptions import Assumptions
from resource_server.domain.affinity import READ_CHARS

_STREAM_BITS = 16  # a block's id: whose text it is, and where in it


@dataclass(slots=True, eq=False)
class Ask:
    """One request and what became of it.

    Attributes:
        blocks: ids of the whole blocks of the prompt.
        answer_blocks: ids of the blocks that the answer adds, where somebody will repeat it.
        document: what the gateway would read of its body.
        first_token_at, done_at: simulated seconds; `None` until then.
    """

    user: str
    document: dict[str, object]
    prompt_tokens: int
    output_tokens: int
    blocks: list[int]
    answer_blocks: list[int] = field(default_factory=list)
    asked_at: float = 0.0
    first_token_at: float | None = None
    done_at: float | None = None
    hit_tokens: int = 0
    attempts: int = 0
    broken: bool = False


def _ids(stream: int, first: int, end: int) -> list[int]:
    base = stream << _STREAM_BITS
    return list(range(base + first, base + end))


def _length(chance: random.Random, mean: float) -> int:
    """Exponential, from ten tokens to four times the mean."""
    return int(min(max(chance.expovariate(1 / mean), 10), 4 * mean))


class Questions:
    """Askers with a long context each and some questions about it. No session is named."""

    def __init__(self, assumed: Assumptions, chance: random.Random, groups: int) -> None:
        self._assumed = assumed
        self._chance = chance
        texts = [f"context {group} " * (2 * READ_CHARS // 10) for group in range(groups)]
        self._documents: list[dict[str, object]] = [
            {"messages": [{"content": text}, {"content": "?"}]} for text in texts
        ]

    def ask(self) -> Ask:
        """The next request, of any asker."""
        assumed = self._assumed
        group = self._chance.randrange(len(self._documents))
        shared = assumed.blocks(assumed.prefix_tokens)
        prompt = int(assumed.prefix_tokens + assumed.question_tokens)
        question = self._chance.randrange(int(assumed.questions_per_group))
        stream = len(self._documents) + group * int(assumed.questions_per_group) + question
        own = _ids(stream, 0, assumed.blocks(prompt) - shared)
        blocks = _ids(group, 0, shared) + own
        return Ask(f"user {group}", self._documents[group], prompt, int(assumed.output_tokens), blocks)


def converse(assumed: Assumptions, chance: random.Random, number: int) -> Iterator[Ask]:
    """The turns of one conversation, each with all before it; its client names a session."""
    prompt = int(assumed.conversation_first_tokens)
    document: dict[str, object] = {"session_id": f"conversation {number}"}
    while True:
        output = _length(chance, assumed.conversation_output_tokens)
        whole = assumed.blocks(prompt)
        after = assumed.blocks(prompt + output)
        yield Ask(f"user {number}", document, prompt, output, _ids(number, 0, whole), _ids(number, whole, after))
        if chance.random() < 1 / assumed.conversation_turns:
            return
        prompt += output + int(assumed.conversation_turn_tokens)
