"""Spans by OpenTelemetry's SDK, sent by a thread of its own to whatever its standard variables name.

The only module that imports the SDK, which is an extra: only `opening` imports this one.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from resource_server.tracing import base
from resource_server.tracing.base import Arrival, Attributes, PassingSpan, name_failure
from resource_server.tracing.parents import Parent, encode_traceparent

logger = logging.getLogger(__name__)

FLUSH_S = 5.0
"""How long a stop waits for the collector."""
SAY_AGAIN_S = 60.0
"""How often the log tells the same of a collector that is away."""
_SPEAKERS = ("opentelemetry.exporter.otlp.proto.http.trace_exporter", "opentelemetry.sdk._shared_internal")
_MAX_INTEGER = 2**63 - 1


class OpenTelemetryTracer:
    """See `base.Tracer`.

    Args:
        description: of this process, unless the environment says otherwise.
    """

    is_on = True

    def __init__(self, description: Mapping[str, str]) -> None:
        for name in _SPEAKERS:
            logging.getLogger(name).addFilter(NowAndThen())
        resource = Resource(dict(description)).merge(OTELResourceDetector().detect())
        # At its exit the process must not wait for the collector once more: `aclose` has.
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("inference-gateway", description["service.version"])

    def begin(self, arrival: Arrival) -> base.Span:
        # From the loop's clock to the calendar, one way for the whole request: its spans stay in each other.
        epoch_ns = time.time_ns() - time.perf_counter_ns()
        span = self._tracer.start_span(
            arrival.name,
            _encode_parent(arrival.parent),
            SpanKind.SERVER,
            _clean(arrival.attributes),
            start_time=epoch_ns + int(arrival.received_at * 1e9),
        )
        if span.is_recording():
            return OpenTelemetrySpan(self._tracer, span, epoch_ns)
        return PassingSpan(_describe(span.get_span_context()))

    async def aclose(self) -> None:
        is_done, loop = asyncio.Event(), asyncio.get_running_loop()

        def close() -> None:
            self._provider.shutdown()
            with suppress(RuntimeError):  # the loop waits no more
                loop.call_soon_threadsafe(is_done.set)

        # A thread that the process's end does not wait for.
        threading.Thread(target=close, name="traces", daemon=True).start()
        try:
            async with asyncio.timeout(FLUSH_S):
                await is_done.wait()
        except TimeoutError:
            logger.warning("traces_lost: the collector did not take the last ones in time")


class OpenTelemetrySpan:
    """A span that is recorded; see `base.Span`."""

    is_recording = True

    def __init__(self, tracer: Tracer, span: Span, epoch_ns: int) -> None:
        self._tracer = tracer
        self._span = span
        self._epoch_ns = epoch_ns
        self._is_ended = self._has_failed = False
        self.traceparent = _describe(span.get_span_context())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self.fail(name_failure(error))
        self.end()

    def child(
        self, name: str, attributes: Attributes | None = None, *, began_at: float | None = None, is_call: bool = False
    ) -> base.Span:
        span = self._tracer.start_span(
            name,
            set_span_in_context(self._span, Context()),
            SpanKind.CLIENT if is_call else SpanKind.INTERNAL,
            _clean(attributes or {}),
            start_time=self._to_ns(time.perf_counter() if began_at is None else began_at),
        )
        return OpenTelemetrySpan(self._tracer, span, self._epoch_ns)

    def note(self, attributes: Attributes) -> None:
        if not self._is_ended:
            self._span.set_attributes(_clean(attributes))

    def mark(self, event: str) -> None:
        if not self._is_ended:
            self._span.add_event(event, timestamp=self._to_ns(time.perf_counter()))

    def fail(self, reason: str) -> None:
        if not self._is_ended and not self._has_failed:
            self._has_failed = True
            self._span.set_status(Status(StatusCode.ERROR, reason))
            self._span.set_attribute("error.type", reason)

    def end(self) -> None:
        if not self._is_ended:
            self._is_ended = True
            self._span.end(self._to_ns(time.perf_counter()))

    def _to_ns(self, at: float) -> int:
        return self._epoch_ns + int(at * 1e9)


class NowAndThen(logging.Filter):
    """Lets each sentence through once in `SAY_AGAIN_S` seconds, whatever it is about."""

    def __init__(self) -> None:
        super().__init__()
        self._said_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        sentence = str(record.msg)
        if now - self._said_at.get(sentence, -SAY_AGAIN_S) < SAY_AGAIN_S:
            return False
        self._said_at[sentence] = now
        return True


def _encode_parent(parent: Parent | None) -> Context:
    if parent is None:
        return Context()
    flags = TraceFlags(TraceFlags.SAMPLED if parent.is_sampled else TraceFlags.DEFAULT)
    context = SpanContext(parent.trace_id, parent.span_id, is_remote=True, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(context), Context())


def _describe(context: SpanContext) -> str:
    return encode_traceparent(context.trace_id, context.span_id, is_sampled=context.trace_flags.sampled)


def _clean(attributes: Attributes) -> dict[str, str | int | float | bool]:
    """Values that protobuf can carry: one that it cannot, from elsewhere, would cost the whole batch."""
    return {name: _clean_value(value) for name, value in attributes.items()}


def _clean_value(value: str | float) -> str | float:
    if isinstance(value, str):
        return value if value.isascii() else value.encode(errors="replace").decode()
    return min(value, _MAX_INTEGER) if isinstance(value, int) else value
