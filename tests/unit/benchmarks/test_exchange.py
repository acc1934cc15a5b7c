import json

import httptools
import pytest

from benchmarks.exchange import BURST, DONE, PACED, SLOW, build_body, build_events, build_request, pace_of
from resource_server.domain.sse import StreamTap


def _contents(events: list[bytes]) -> list[str]:
    chunks = [json.loads(event[6:]) for event in events if event != DONE]
    return [choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"]]


def test_build_events_of_a_stream_names_it_in_every_event() -> None:
    events = build_events(PACED, "chatcmpl-7", 3, usage=False)

    assert _contents(events) == ["", " token 0", " token 1", " token 2", ""]
    assert all(b'"id":"chatcmpl-7"' in event for event in events[:-1])
    assert events[-1] == DONE


def test_build_events_with_usage_differ_by_what_the_gateway_withholds() -> None:
    tap = StreamTap(include_usage=False)

    passed = tap.feed(b"".join(build_events(PACED, "x", 5, usage=True))) + DONE

    assert passed == b"".join(build_events(PACED, "x", 5, usage=False))
    assert tap.usage is not None


@pytest.mark.parametrize(("model", "at_once"), [(PACED, 1), (SLOW, 1), (BURST, 10)])
def test_pace_of_keeps_the_average_of_a_burst(model: str, at_once: int) -> None:
    interval_s, events = pace_of(model)

    assert events == at_once
    assert interval_s / events == pytest.approx(1 / (8 if model == SLOW else 40))


class _Seen:
    """What httptools tells of a request."""

    def __init__(self) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name] = value

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


def test_build_request_is_one_whole_http_request() -> None:
    seen = _Seen()
    body = build_body(PACED, name="a", events=2)

    httptools.HttpRequestParser(seen).feed_data(build_request(8080, "/v1/x", {"Authorization": "Bearer t"}, body))

    assert seen.complete
    assert seen.headers[b"Authorization"] == b"Bearer t"
    assert json.loads(seen.body)["max_tokens"] == 2
