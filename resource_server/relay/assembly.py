"""Puts the messages of one stream in order and proves the whole: no waiting, no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256

from resource_server.relay.messages import Message, Totals


class Verdict(Enum):
    """What became of a message."""

    TAKEN = "taken, now or before"
    FULL = "in its turn, but the reader has to catch up first"
    AHEAD = "too far ahead of what has come"
    TOO_LARGE = "the stream exceeds its caps"
    REFUSED = "of another attempt, after the end, or a contradiction"


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Caps of one stream.

    Attributes:
        window_bytes: unread bytes at which the reader has to catch up first.
        early_messages: how far ahead of the next one a message may be.
        early_bytes: data held ahead of its turn.
        total_bytes: data in the whole stream.
        total_messages: messages in the whole stream.
    """

    window_bytes: int = 1 << 20
    early_messages: int = 32
    early_bytes: int = 4 << 20
    total_bytes: int = 64 << 20
    total_messages: int = 200_000


@dataclass(slots=True)
class Memory:
    """What all streams of a process hold together.

    Attributes:
        limit_bytes: above this, new messages are turned away.
        held_bytes: data in memory, unread or ahead of its turn.
    """

    limit_bytes: int
    held_bytes: int = 0

    def is_full(self) -> bool:
        """Whether nothing more should be taken."""
        return self.held_bytes >= self.limit_bytes


Head = tuple[int, Mapping[str, str]]
"""The framework's HTTP status, and its headers by lower-case name."""


class Assembly:
    """One stream's messages: the first attempt wins, duplicates are harmless, the end must agree with what came.

    Attributes:
        attempt: whose messages count; `None` before the first.
        head: the framework's status and headers, once they have come in order.
        is_complete: whether the verified end has come.
        failure: why the stream cannot be completed; unread data stays readable.
    """

    def __init__(self, limits: StreamLimits, memory: Memory) -> None:
        self.attempt: str | None = None
        self.head: Head | None = None
        self.is_complete = False
        self.failure: str | None = None
        self._limits = limits
        self._memory = memory
        self._next_seq = 0
        self._early: dict[int, Message] = {}
        self._early_bytes = 0
        self._unread: list[bytes] = []
        self._unread_bytes = 0
        self._data_messages = 0
        self._data_bytes = 0
        self._digest = sha256()

    @property
    def has_unread(self) -> bool:
        """Whether `take_unread` would give something."""
        return bool(self._unread)

    def take_unread(self) -> bytes:
        """All data that is in order and was not taken yet."""
        data = b"".join(self._unread)
        self._unread.clear()
        self._memory.held_bytes -= self._unread_bytes
        self._unread_bytes = 0
        return data

    def discard(self) -> None:
        """Give all memory back; nothing is added or read after this."""
        self._memory.held_bytes -= self._unread_bytes + self._early_bytes
        self._unread.clear()
        self._early.clear()
        self._unread_bytes = self._early_bytes = 0

    def add(self, message: Message) -> Verdict:
        """Place one message."""
        if self.attempt is None:
            self.attempt = message.attempt
        elif self.attempt != message.attempt:
            return Verdict.REFUSED
        seq = message.seq
        if seq is not None and (seq < self._next_seq or seq in self._early):
            return Verdict.TAKEN
        if self.failure is not None or (self.is_complete and seq is not None):
            return Verdict.REFUSED
        if seq is None:
            return Verdict.TAKEN
        return self._add_in_turn(message) if seq == self._next_seq else self._add_early(seq, message)

    def _add_in_turn(self, message: Message) -> Verdict:
        if self._unread_bytes >= self._limits.window_bytes:
            return Verdict.FULL
        verdict = self._apply(message)
        while verdict is Verdict.TAKEN and self._next_seq in self._early:
            follower = self._early.pop(self._next_seq)
            self._hold_early(-len(follower.data or b""))
            verdict = self._apply(follower)
        return verdict

    def _add_early(self, seq: int, message: Message) -> Verdict:
        size = len(message.data or b"")
        is_far = seq - self._next_seq >= self._limits.early_messages
        if is_far or self._early_bytes + size > self._limits.early_bytes:
            return Verdict.AHEAD
        self._early[seq] = message
        self._hold_early(size)
        return Verdict.TAKEN

    def _hold_early(self, size: int) -> None:
        self._early_bytes += size
        self._memory.held_bytes += size

    def _apply(self, message: Message) -> Verdict:
        self._next_seq += 1
        contradiction = self._find_contradiction(message)
        if contradiction is not None:
            return self._fail(contradiction)
        if message.status is not None:
            self.head = (message.status, message.headers or {})
        if self._is_too_large(message):
            return self._fail("the answer is too large", Verdict.TOO_LARGE)
        if message.data is not None:
            self._append(message.data)
        if message.end is not None:
            return self._verify(message.end)
        if message.error is not None:
            self._fail(message.error)
        return Verdict.TAKEN

    def _find_contradiction(self, message: Message) -> str | None:
        if self.is_complete:
            return "a message after the end"
        if message.status is not None:
            return None if self.head is None else "a second status"
        if self.head is None and (message.data is not None or message.end is not None):
            return "data or the end before the status"
        return None

    def _append(self, data: bytes) -> None:
        self._data_messages += 1
        self._data_bytes += len(data)
        self._digest.update(data)
        if data:
            self._unread.append(data)
            self._unread_bytes += len(data)
            self._memory.held_bytes += len(data)

    def _is_too_large(self, message: Message) -> bool:
        data_bytes = self._data_bytes + len(message.data or b"")
        return data_bytes > self._limits.total_bytes or self._next_seq > self._limits.total_messages

    def _verify(self, end: Totals) -> Verdict:
        came = Totals(self._data_messages, self._data_bytes, self._digest.hexdigest())
        if end != came:
            return self._fail(f"the end says {end}, what came is {came}")
        self.is_complete = True
        return Verdict.TAKEN

    def _fail(self, reason: str, verdict: Verdict = Verdict.REFUSED) -> Verdict:
        self.failure = reason
        return verdict
