"""Values that come from elsewhere cannot cost a batch, and a collector that is away cannot fill the log."""

import logging
import time

import pytest

from resource_server.tracing.base import Arrival, NoTracer
from resource_server.tracing.otlp import NowAndThen, OpenTelemetryTracer
from tests.collector import read_attributes, running_collector

DESCRIPTION = {"service.name": "inference-gateway", "service.version": "1", "service.instance.id": "w"}


async def test_close_sends_the_last_spans_whatever_they_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    with running_collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
        tracer = OpenTelemetryTracer(DESCRIPTION)
        span = tracer.begin(Arrival("POST /x", None, time.perf_counter(), {"url.path": "/\ud800"}))
        span.note({"gen_ai.usage.input_tokens": 2**70})
        span.fail("first")
        span.fail("second")
        span.end()
        span.note({"late": 1})
        span.end()
        await tracer.aclose()
    assert [each.name for each in collector.spans] == ["POST /x"]
    assert read_attributes(collector.spans[0].attributes) == {
        "url.path": "/?",
        "gen_ai.usage.input_tokens": 2**63 - 1,
        "error.type": "first",
    }
    assert collector.resources[0].items() >= {"service.name": "mine", "service.version": "1"}.items()


def test_null_span_passes_everything_by() -> None:
    span = NoTracer().begin(Arrival("POST /x", None, 0.0, {}))
    with span.child("part") as part:
        assert part is span
        part.fail("reason")
    assert (span.traceparent, span.is_recording) == ("", False)


def test_log_hears_each_sentence_once() -> None:
    once = NowAndThen()
    sentences = ["a %s", "b %s", "a %s", "b %s"]
    records = [logging.LogRecord("x", logging.WARNING, "", 1, text, (n,), None) for n, text in enumerate(sentences)]
    assert [once.filter(record) for record in records] == [True, True, False, False]
