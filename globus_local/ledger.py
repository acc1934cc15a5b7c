from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

CAPACITY = 50_000


@dataclass(slots=True, frozen=True, kw_only=True)
class Entry:
    """One call that the cloud received: never a query string, a body, a token or a secret.

    Attributes:
        at: POSIX timestamp in seconds, by the cloud's clock.
        status: the HTTP status answered; 0 where the connection was dropped instead.
        client_id: the application that called, as its credential says; `None` without one.
        identity_id: on whose behalf; `None` for calls by Basic authentication.
        fault: the id of the fault that was applied, if any.
    """

    at: float
    service: str
    method: str
    path: str
    status: int
    client_id: str | None = None
    identity_id: str | None = None
    fault: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As the admin surface shows it."""
        return asdict(self)


class Ledger:
    """The latest calls, oldest first; beyond `CAPACITY` the oldest are forgotten."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=CAPACITY)

    def record(self, entry: Entry) -> None:
        """Add one call."""
        self._entries.append(entry)

    def clear(self) -> None:
        """Forget all of them."""
        self._entries.clear()

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self._entries))

    def __len__(self) -> int:
        return len(self._entries)
