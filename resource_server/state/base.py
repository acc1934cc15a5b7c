"""State that may vanish: what workers share while they live. What must survive is in the database.

Two implementations stand behind these protocols: in this process (`state.memory`), and in Redis (`state.redis`).
`state.fallback` puts the first behind the second, so that no caller ever sees Redis fail: with Redis down, hung or
full of garbage each process goes on with its own state, and paces at its share of a shared rate.
"""

from typing import Protocol


class KeyValue(Protocol):
    """Values with an end. A value is never trusted: readers check what they get."""

    async def get(self, key: str) -> bytes | None:
        """The value, or `None` if there is none, it has ended, or it cannot be had."""
        ...

    async def set(self, key: str, value: bytes, ttl_s: float) -> None:
        """Keep `value` for `ttl_s` seconds."""
        ...

    async def delete(self, key: str) -> None:
        """Forget the key."""
        ...


class Leases(Protocol):
    """Roles that one process at a time holds."""

    async def acquire(self, name: str, owner: str, ttl_s: float) -> bool:
        """Take or renew the lease; False while another owner holds it."""
        ...

    async def release(self, name: str, owner: str) -> None:
        """Give the lease back if `owner` holds it."""
        ...


class Pacer(Protocol):
    """Evenly spaced turns at a shared rate (GCRA)."""

    async def reserve(self, key: str, interval_s: float, burst: int = 1) -> float:
        """Take the next turn and return the seconds to wait for it.

        Args:
            key: what is paced, for example a Globus client.
            interval_s: seconds between turns.
            burst: turns that may be taken at once after idleness.
        """
        ...


class Mailboxes(Protocol):
    """Messages between processes: ordered, bounded, at most as durable as Redis."""

    async def send(self, mailbox: str, message: bytes, max_messages: int) -> bool:
        """Append; False when the message could not be handed over (the mailbox cannot be reached)."""
        ...

    async def receive(self, mailbox: str, wait_s: float) -> list[bytes]:
        """The next messages in order, removed; empty after `wait_s` seconds of silence."""
        ...


class State(Protocol):
    """The bundle that `wiring` makes once per process."""

    key_value: KeyValue
    leases: Leases
    pacer: Pacer
    mailboxes: Mailboxes
    shared: bool
    """Whether other processes see this state (Redis is configured)."""

    def is_degraded(self) -> bool:
        """Whether the shared state cannot be reached now, and this process goes on alone."""
        ...

    async def aclose(self) -> None:
        """Close connections and tasks."""
        ...
