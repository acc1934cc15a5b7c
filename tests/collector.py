"""A collector of traces for tests: takes OTLP over HTTP, as any does, in a thread of its own."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.compute_functions.servers import Exchange, serve


@dataclass
class Collector:
    """What tests read.

    Attributes:
        url: for ``OTEL_EXPORTER_OTLP_ENDPOINT``.
        spans: every span received, in order.
        resources: the attributes of every batch's sender.
        paths: where each batch was posted.
    """

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    resources: list[dict[str, object]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, exchange: Exchange) -> None:
        """Take one batch."""
        batch = ExportTraceServiceRequest.FromString(exchange.body)
        with self._lock:
            self.paths.append(exchange.handler.path)
            for part in batch.resource_spans:
                self.resources.append(read_attributes(part.resource.attributes))
                self.spans += [span for scope in part.scope_spans for span in scope.spans]
        exchange.reply(200, b"", content_type="application/x-protobuf")

    def trace(self, trace_id: str) -> list[Span]:
        """The spans of one trace, by their beginning."""
        with self._lock:
            found = [span for span in self.spans if span.trace_id.hex() == trace_id]
        return sorted(found, key=lambda span: span.start_time_unix_nano)


def read_attributes(attributes: Iterable[KeyValue]) -> dict[str, object]:
    """OTLP's list as a dict."""
    return {pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in attributes}


@contextmanager
def running_collector() -> Iterator[Collector]:
    """A collector on a free port."""
    collector = Collector()
    with serve(collector.answer) as server:
        collector.url = f"http://127.0.0.1:{server.port}"
        yield collector
