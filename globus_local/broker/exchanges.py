"""Exchanges: which queues a routing key reaches."""

from dataclasses import dataclass, field

from globus_local.broker.errors import NOT_IMPLEMENTED, ConnectionFault
from globus_local.broker.queues import Queue

KINDS = frozenset({"direct", "fanout", "topic"})


def topic_matches(pattern: list[str], words: list[str]) -> bool:
    """Whether a topic pattern covers a key: ``*`` is one word, ``#`` any number (AMQP 0-9-1, 3.1.3.3)."""
    if not pattern:
        return not words
    head, rest = pattern[0], pattern[1:]
    if head == "#":
        return any(topic_matches(rest, words[skipped:]) for skipped in range(len(words) + 1))
    return bool(words) and head in {"*", words[0]} and topic_matches(rest, words[1:])


@dataclass(slots=True)
class Exchange:
    """A named exchange with its bindings, ``(routing key, queue)`` in the order they were made."""

    name: str
    kind: str
    durable: bool = False
    auto_delete: bool = False
    bindings: list[tuple[str, Queue]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConnectionFault(NOT_IMPLEMENTED, f"exchange type '{self.kind}' is not one of {sorted(KINDS)}")

    def bind(self, queue: Queue, key: str) -> None:
        """Bind once, however often it is asked for."""
        if (key, queue) not in self.bindings:
            self.bindings.append((key, queue))

    def unbind(self, queue: Queue, key: str | None = None) -> None:
        """Remove one binding of the queue, or all of them when ``key`` is ``None``."""
        self.bindings = [
            (bound_key, bound)
            for bound_key, bound in self.bindings
            if bound is not queue or (key is not None and bound_key != key)
        ]

    def route(self, key: str) -> list[Queue]:
        """The queues that a message with this key goes to, each once."""
        return list(dict.fromkeys(queue for pattern, queue in self.bindings if self._covers(pattern, key)))

    def _covers(self, pattern: str, key: str) -> bool:
        match self.kind:
            case "fanout":
                return True
            case "direct":
                return pattern == key
            case _:
                return topic_matches(pattern.split("."), key.split("."))
