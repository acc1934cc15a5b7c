"""What a load generator is asked to do, and what it found: both cross a process boundary as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.exchange import CHAT_PATH


@dataclass(frozen=True, slots=True)
class Address:
    """Where a target takes chats on 127.0.0.1, and the headers that it wants."""

    port: int
    path: str = CHAT_PATH
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """One measurement.

    Attributes:
        kind: ``unary``, ``paired`` (in turn with `baseline`) or ``streams``.
        model: what to ask for.
        concurrency: connections of ``unary``, or streams.
        seconds: how long ``unary`` and ``paired`` go on.
        events: content events of each stream.
        spread_s: over which time the streams begin.
        is_mock: the bytes are the mock's, so they can be compared.
    """

    kind: str
    address: Address
    model: str
    concurrency: int = 1
    seconds: float = 1.0
    events: int = 0
    spread_s: float = 1.0
    is_mock: bool = True
    baseline: Address | None = None
    baseline_model: str = ""

    def encode(self) -> str:
        """The plan as JSON."""
        return json.dumps(asdict(self))


def decode_plan(text: str) -> Plan:
    """The inverse of `Plan.encode`."""
    document: dict[str, Any] = json.loads(text)
    baseline = document.pop("baseline")
    address = Address(**document.pop("address"))
    return Plan(address=address, baseline=Address(**baseline) if baseline else None, **document)
