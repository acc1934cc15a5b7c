"""One target of the benchmark."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.plans import Address
from benchmarks.processes import Program


@dataclass(frozen=True, slots=True)
class Target:
    """A program that answers chats.

    Attributes:
        models: the target's name of a model of `benchmarks.exchange`, where it has one of its own.
        is_mock: its bytes are the mock's.
        defers: it puts work off to after its answers, so its CPU time is read when it is quiet again.
        bursts: whether `exchange.BURST` means something to it.
        rss_idle_mb: when it had answered one request.
    """

    name: str
    program: Program
    address: Address
    models: Mapping[str, str] = field(default_factory=dict)
    is_mock: bool = True
    defers: bool = False
    bursts: bool = True
    rss_idle_mb: float = 0.0

    def model(self, name: str) -> str:
        """The target's name of a model."""
        return self.models.get(name, name)
