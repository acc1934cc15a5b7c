"""What a request leaves for those who collect traces: one seam, whose null implementation passes everything by."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, TypeAlias

from resource_server.domain.errors import GatewayError
from resource_server.tracing.parents import Parent

Attributes: TypeAlias = Mapping[str, str | int | float | bool]
"""By OpenTelemetry's names or, below ``gateway.``, our own. No prompt, no answer, no token, nobody's name."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as it comes in.

    Attributes:
        name: of its span: method and route, nothing that a client chooses.
        parent: what the client says it is part of.
        received_at: `time.perf_counter()` then.
        attributes: what a sampler may decide by.
    """

    name: str
    parent: Parent | None
    received_at: float
    attributes: Attributes


class Span(Protocol):
    """A stretch of a request's time, for ``with`` or to be ended by hand. No method raises; after `end` none counts.

    Leaving its ``with`` by an exception ends it as failed.

    Attributes:
        is_recording: whether anybody will see it.
        traceparent: the header (W3C Trace Context) for whoever works on its behalf; empty where nothing is traced.
    """

    is_recording: bool
    traceparent: str

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def child(
        self, name: str, attributes: Attributes | None = None, *, began_at: float | None = None, is_call: bool = False
    ) -> "Span":
        """A part of it, which began now or at `began_at` (`time.perf_counter()`).

        Args:
            name: from fixed words and the catalogue.
            attributes: what is known of it already.
            began_at: `None` for now.
            is_call: whether another service does the work.
        """
        ...

    def note(self, attributes: Attributes) -> None:
        """Add attributes."""
        ...

    def mark(self, event: str) -> None:
        """Something happened now."""
        ...

    def fail(self, reason: str) -> None:
        """It failed, for a reason of few words. The first one counts."""
        ...

    def end(self) -> None:
        """It is over. Idempotent."""
        ...


class Tracer(Protocol):
    """Begins the span of each request. Whoever opened it calls `aclose`, which returns within seconds."""

    is_on: bool

    def begin(self, arrival: Arrival) -> Span:
        """The span of a request."""
        ...

    async def aclose(self) -> None:
        """Send what is still here, for some seconds at most."""
        ...


class PassingSpan:
    """Records nothing, and passes on who asked for it; see `Span`."""

    is_recording = False

    def __init__(self, traceparent: str = "") -> None:
        self.traceparent = traceparent

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Nothing to end."""

    def child(
        self,
        name: str,  # noqa: ARG002 - the protocol's signature
        attributes: Attributes | None = None,  # noqa: ARG002
        *,
        began_at: float | None = None,  # noqa: ARG002
        is_call: bool = False,  # noqa: ARG002
    ) -> Span:
        return self

    def note(self, attributes: Attributes) -> None:
        """Nobody will see it."""

    def mark(self, event: str) -> None:
        """Nobody will see it."""

    def fail(self, reason: str) -> None:
        """Nobody will see it."""

    def end(self) -> None:
        """Nothing to end."""


NO_SPAN: Span = PassingSpan()


class NoTracer:
    """For gateways whose operators collect no traces; see `Tracer`."""

    is_on = False

    def begin(self, arrival: Arrival) -> Span:  # noqa: ARG002 - the protocol's signature
        return NO_SPAN

    async def aclose(self) -> None:
        """Nothing to send."""


def name_failure(error: BaseException) -> str:
    """The error's code, or its class where it has none."""
    return error.code if isinstance(error, GatewayError) else type(error).__name__
