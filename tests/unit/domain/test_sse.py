"""`StreamTap`: what reaches the client, and what the gateway learns, however the bytes are cut."""

from typing import Any

import orjson
import pytest

from resource_server.domain.errors import StreamInterrupted
from resource_server.domain.sse import DONE, MAX_FRAME_BYTES, StreamTap, comment, error_event
from resource_server.domain.usage import Usage

USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def frame(document: object) -> bytes:
    return b"data: " + orjson.dumps(document) + b"\n\n"


def delta(index: int = 0, finish: str | None = None, **fields: object) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": fields, "finish_reason": finish}]}


ROLE = frame(delta(role="assistant", content=""))
HELLO = frame(delta(content="Hello"))
WORLD = frame(delta(content=' "usage" "error" [DONE]\n\ndata: x'))
STOP = frame(delta(finish="stop"))
USAGE_CHUNK = frame({"choices": [], "usage": USAGE})
STREAM = [b": ping\n\n", ROLE, HELLO, WORLD, STOP, USAGE_CHUNK, DONE]
EXPECTED = b"".join(STREAM[:5])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_stream_passes_unchanged_however_it_is_cut(size: int, line_end: bytes) -> None:
    tap = StreamTap(include_usage=False)
    stream = b"".join(STREAM).replace(b"\n", line_end)
    passed = b"".join(tap.feed(stream[i : i + size]) for i in range(0, len(stream), size))
    assert passed == EXPECTED.replace(b"\n", line_end)
    assert tap.usage == Usage(3, 2, 5)
    assert (tap.done, tap.finished, tap.events, tap.error) == (True, True, 2, None)


def test_only_whole_frames_are_released() -> None:
    tap = StreamTap(include_usage=False)
    assert tap.feed(HELLO[:-1]) == b""
    assert tap.feed(b"\n" + WORLD[:5]) == HELLO


def test_usage_chunk_reaches_the_client_who_asked_for_it() -> None:
    tap = StreamTap(include_usage=True)
    assert tap.feed(STOP + USAGE_CHUNK + DONE) == STOP + USAGE_CHUNK
    assert tap.usage == Usage(3, 2, 5)


def test_chunk_with_choices_and_usage_passes_and_the_newest_usage_counts() -> None:
    tap = StreamTap(include_usage=False)
    chunk = frame({**delta(content="a"), "usage": {**USAGE, "completion_tokens": 1}})
    assert tap.feed(HELLO + chunk) == HELLO + chunk
    assert tap.usage == Usage(3, 1, 5)
    last = frame({**delta(content="b"), "usage": USAGE})
    assert tap.feed(last) == last
    assert tap.usage == Usage(3, 2, 5)


def test_chunk_without_choices_or_usage_passes() -> None:
    tap = StreamTap(include_usage=False)
    chunk = frame({"choices": [], "prompt_filter_results": []})
    assert tap.feed(chunk) == chunk
    assert not tap.content_started


@pytest.mark.parametrize(
    ("document", "events", "started"),
    [
        (delta(role="assistant"), 0, False),
        (delta(role="assistant", content=""), 0, False),
        (delta(role="assistant", content=None, tool_calls=[]), 0, False),
        (delta(role="assistant", content="a"), 1, True),
        (delta(reasoning_content="hm"), 1, True),
        (delta(tool_calls=[{"index": 0, "function": {"arguments": "{"}}]), 1, True),
        (delta(finish="stop"), 0, True),
        ({"choices": [{"index": 0, "text": "a", "finish_reason": None}]}, 1, True),
        ({"choices": [{"index": 0, "text": "", "finish_reason": None}]}, 0, False),
    ],
)
def test_content_starts_with_the_first_content_bearing_event(
    document: dict[str, Any], events: int, *, started: bool
) -> None:
    tap = StreamTap(include_usage=False)
    tap.feed(frame(document))
    assert (tap.events, tap.content_started) == (events, started)


def test_stream_finishes_when_every_choice_has() -> None:
    tap = StreamTap(include_usage=False)
    assert not tap.finished
    tap.feed(frame(delta(content="a")) + frame(delta(content="b")) + frame(delta(1, content="c")))
    tap.feed(frame(delta(finish="stop")))
    assert not tap.finished
    tap.feed(frame(delta(1, finish="length")))
    assert tap.finished


def test_choice_that_begins_after_another_is_waited_for() -> None:
    tap = StreamTap(include_usage=False)
    tap.feed(frame(delta(1, content="a")) + frame(delta(content="b")) + frame(delta(1, finish="stop")))
    assert not tap.finished
    tap.feed(STOP)
    assert tap.finished


def test_finish_reason_beside_a_null_one_is_seen() -> None:
    tap = StreamTap(include_usage=False)
    both = {"choices": [delta(0, content="x")["choices"][0], delta(1, finish="stop")["choices"][0]]}
    tap.feed(HELLO + frame(both) + STOP)
    assert tap.finished


def test_spaced_json_is_understood() -> None:
    tap = StreamTap(include_usage=False)
    stream = (HELLO + HELLO + STOP).replace(b'":', b'": ')
    assert tap.feed(stream) == stream
    assert (tap.events, tap.finished) == (2, True)


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (frame({"error": {"message": "boom", "code": 500}}), {"message": "boom", "code": 500}),
        (frame({"error": "boom"}), {"message": "boom"}),
        (
            frame({"object": "error", "message": "boom"}),
            {"object": "error", "message": "boom"},
        ),
        (b"event: error\n" + frame({"error": {"message": "boom"}}), {"message": "boom"}),
    ],
)
def test_error_in_band_is_withheld_with_all_that_follows(event: bytes, error: dict[str, object]) -> None:
    tap = StreamTap(include_usage=False)
    assert tap.feed(HELLO + event + HELLO + DONE) == HELLO
    assert tap.error == error
    assert not tap.done


def test_done_is_withheld_with_all_that_follows() -> None:
    tap = StreamTap(include_usage=False)
    assert tap.feed(HELLO + DONE + HELLO) == HELLO
    assert tap.done
    assert not tap.finished


@pytest.mark.parametrize(
    ("sent", "passed"),
    [
        (b": note\n\n", b": note\n\n"),
        (b"id: 7\n" + HELLO, HELLO),
        (b"retry: 10\r\n" + HELLO.replace(b"\n", b"\r\n"), HELLO.replace(b"\n", b"\r\n")),
        (b"id\n\n", b""),
        (b"retry: 10\n\n", b""),
        (b"data:\n\n", b""),
        (b"data: \n\n", b""),
        (b"event: ping\n\n", b""),
        (b"event: ping\ndata:\n: still here\n\n", b": still here\n\n"),
        (b"event: chunk\n" + HELLO, b"event: chunk\n" + HELLO),
        (b'data:{"choices":[]}\n\n', b'data:{"choices":[]}\n\n'),
        (b'data: {"choices":\ndata: []}\n\n', b'data: {"choices":\ndata: []}\n\n'),
        (b"data:[DONE]\n\n", b""),
        (b"\n\n", b""),
    ],
)
def test_fields_that_make_sdks_raise_are_dropped(sent: bytes, passed: bytes) -> None:
    assert StreamTap(include_usage=False).feed(sent) == passed


@pytest.mark.parametrize("data", [b"oops", b"{", b"[1]", b'"text"', b'{"choices": ["a"]}', b'{"a": NaN}'])
def test_data_that_is_no_event_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        StreamTap(include_usage=False).feed(b"data: " + data + b"\n\n")


@pytest.mark.parametrize("content_bytes", [MAX_FRAME_BYTES, 4 * MAX_FRAME_BYTES])
def test_whole_frame_over_the_cap_is_an_error(content_bytes: int) -> None:
    with pytest.raises(ValueError, match="too large"):
        StreamTap(include_usage=False).feed(frame(delta(content="x" * content_bytes)))


def test_frame_that_grows_over_the_cap_is_an_error_before_its_end() -> None:
    tap = StreamTap(include_usage=False)
    assert tap.feed(b"x" * MAX_FRAME_BYTES) == b""
    with pytest.raises(ValueError, match="too large"):
        tap.feed(b"x")


def test_large_frame_under_the_cap_passes_in_small_pieces() -> None:
    tap = StreamTap(include_usage=False)
    whole = frame(delta(content="x" * (MAX_FRAME_BYTES - 200)))
    assert b"".join(tap.feed(whole[i : i + 500]) for i in range(0, len(whole), 500)) == whole


def test_error_event_carries_the_envelope() -> None:
    event = error_event(StreamInterrupted("The model fell silent; send the request again."))
    assert event.endswith(b"\n\n")
    document = orjson.loads(event.removeprefix(b"data: "))
    assert document["error"]["code"] == "stream_interrupted"


def test_comment_stays_on_its_line() -> None:
    assert comment("queued\r\n\ndata: x position=3") == b": queued data: x position=3\n\n"


def test_done_with_spaces_around_it_is_done() -> None:
    tap = StreamTap(include_usage=False)
    assert tap.feed(b"data:  [DONE] \n\n") == b""
    assert tap.done
