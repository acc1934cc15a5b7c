"""State of one process: the embedded default, and what a worker goes on with while Redis is away."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from resource_server.state.base import KeyValue, Leases, Mailboxes, Pacer
from resource_server.state.bell import Bell

Clock = Callable[[], float]
"""Monotonic seconds."""

_MAX_NAMES = 10_000
"""Leases, paced keys and mailboxes kept at most, each: far above what the gateway names itself."""


class MemoryKeyValue:
    """A bounded map; what was not used for longest goes first."""

    def __init__(self, *, max_entries: int = 50_000, max_bytes: int = 64 << 20, clock: Clock = time.monotonic) -> None:
        self._entries: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._bytes = 0
        self._clock = clock

    async def get(self, key: str) -> bytes | None:
        """As `KeyValue.get`."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        ends_at, value = entry
        if self._clock() >= ends_at:
            self.discard(key)
            return None
        self._entries.move_to_end(key)
        return value

    async def set(self, key: str, value: bytes, ttl_s: float) -> None:
        """As `KeyValue.set`; a value larger than the whole map is not kept."""
        self.discard(key)
        self._entries[key] = (self._clock() + ttl_s, value)
        self._bytes += len(value)
        while len(self._entries) > self._max_entries or self._bytes > self._max_bytes:
            self.discard(next(iter(self._entries)))

    async def delete(self, key: str) -> None:
        """As `KeyValue.delete`."""
        self.discard(key)

    def discard(self, key: str) -> None:
        """Forget the key, at once."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= len(entry[1])


class MemoryLeases:
    """Leases among the tasks of one process."""

    def __init__(self, *, clock: Clock = time.monotonic) -> None:
        self._held: dict[str, tuple[str, float]] = {}
        self._clock = clock

    async def acquire(self, name: str, owner: str, ttl_s: float) -> bool:
        """As `Leases.acquire`."""
        now = self._clock()
        if len(self._held) >= _MAX_NAMES:
            self._held = {name: held for name, held in self._held.items() if held[1] > now}
        holder, ends_at = self._held.get(name, (owner, now))
        if holder != owner and ends_at > now:
            return False
        self._held[name] = (owner, now + ttl_s)
        return True

    async def release(self, name: str, owner: str) -> None:
        """As `Leases.release`."""
        if self._held.get(name, ("", 0.0))[0] == owner:
            del self._held[name]


class MemoryPacer:
    """GCRA, the virtual scheduling form (ITU-T I.371): per key the time at which the next turn is due."""

    def __init__(self, *, clock: Clock = time.monotonic) -> None:
        self._due_at: OrderedDict[str, float] = OrderedDict()
        self._clock = clock

    async def reserve(self, key: str, interval_s: float, burst: int = 1) -> float:
        """As `Pacer.reserve`."""
        now = self._clock()
        due_at = max(self._due_at.pop(key, now), now)
        self._due_at[key] = due_at + interval_s
        if len(self._due_at) > _MAX_NAMES:
            self._due_at.popitem(last=False)
        return max(0.0, due_at - (burst - 1) * interval_s - now)


@dataclass(slots=True)
class _Mailbox:
    messages: deque[bytes] = field(default_factory=deque)
    bell: Bell = field(default_factory=Bell)


class MemoryMailboxes:
    """Mailboxes between the tasks of one process; a full one loses its oldest message."""

    def __init__(self) -> None:
        self._mailboxes: OrderedDict[str, _Mailbox] = OrderedDict()

    async def send(self, mailbox: str, message: bytes, max_messages: int) -> bool:
        """As `Mailboxes.send`."""
        box = self._open(mailbox)
        box.messages.append(message)
        while len(box.messages) > max_messages:
            box.messages.popleft()
        box.bell.ring()
        return True

    async def receive(self, mailbox: str, wait_s: float) -> list[bytes]:
        """As `Mailboxes.receive`."""
        box = self._open(mailbox)
        if not box.messages:
            await box.bell.wait(wait_s)
        messages = list(box.messages)
        box.messages.clear()
        return messages

    def _open(self, name: str) -> _Mailbox:
        box = self._mailboxes.setdefault(name, _Mailbox())
        self._mailboxes.move_to_end(name)
        if len(self._mailboxes) > _MAX_NAMES:
            self._mailboxes.popitem(last=False)
        return box


class MemoryState:
    """State that only this process sees."""

    key_value: KeyValue
    leases: Leases
    pacer: Pacer
    mailboxes: Mailboxes
    shared: bool = False

    def __init__(self) -> None:
        self.key_value = MemoryKeyValue()
        self.leases = MemoryLeases()
        self.pacer = MemoryPacer()
        self.mailboxes = MemoryMailboxes()

    def is_degraded(self) -> bool:
        """Never: nothing is shared that could be away."""
        return False

    async def aclose(self) -> None:
        """Nothing to close."""
