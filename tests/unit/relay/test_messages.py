import pytest

from resource_server.relay.messages import MalformedMessage, Totals, parse_message
from tests.unit.relay.posts import ATTEMPT, JSON_HEAD, post

SHA = "a" * 64
END = {"messages": 1, "bytes": 2, "sha256": SHA}
ERROR = {"code": "framework_timeout", "message": "no answer"}


def test_ping_has_only_an_attempt() -> None:
    message = parse_message(post(None))
    assert (message.attempt, message.seq, message.data) == (ATTEMPT, None, None)


def test_whole_answer_in_one_message() -> None:
    message = parse_message(post(1, **JSON_HEAD, data="né", end=END, later="ignored"))
    assert message.seq == 1
    assert (message.status, message.headers) == (200, {"content-type": "application/json"})
    assert message.data == "né".encode()
    assert message.end == Totals(1, 2, SHA)


def test_only_listed_headers_pass() -> None:
    headers = {"content-type": "text/event-stream", "retry-after": "3", "set-cookie": "x", "server": "y"}
    message = parse_message(post(1, status=429, headers=headers))
    assert message.headers == {"content-type": "text/event-stream", "retry-after": "3"}


def test_error_is_kept_for_logs_without_control_characters() -> None:
    message = parse_message(post(1, error={"code": "framework_broken", "message": "a\nb\x1b" + "x" * 9999}))
    assert message.error is not None
    assert message.error.startswith("framework_broken: 'a\\nb\\x1bx")
    assert len(message.error) < 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"[" * 100_000,
        b'{"attempt": "\xff"}',
        b"{}",
        post(0, attempt="short"),
        post(0, attempt=ATTEMPT.upper()),
        post(0, attempt=ATTEMPT + "\n"),
        b'{"attempt": 5}',
        b'{"attempt": null, "seq": 0}',
        post(-1),
        post(1 << 40),
        f'{{"attempt": "{ATTEMPT}", "seq": true}}'.encode(),
        f'{{"attempt": "{ATTEMPT}", "seq": 1.0}}'.encode(),
        f'{{"attempt": "{ATTEMPT}", "seq": "1"}}'.encode(),
        f'{{"attempt": "{ATTEMPT}", "seq": null}}'.encode(),
        post(None, data="x"),
        post(None, end=END),
        post(1, data=5),
        post(1, data=None),
        f'{{"attempt": "{ATTEMPT}", "seq": 1, "data": "\\ud800"}}'.encode(),
        post(1, data=["x"]),
        post(1, status="200", headers=JSON_HEAD["headers"]),
        post(1, status=True, headers=JSON_HEAD["headers"]),
        post(1, status=100, headers=JSON_HEAD["headers"]),
        post(1, status=600, headers=JSON_HEAD["headers"]),
        post(1, status=200),
        post(1, status=200, headers=[]),
        post(1, status=200, headers={}),
        post(1, status=200, headers={"content-type": 1}),
        post(1, status=200, headers={"content-type": "a\r\nset-cookie: b"}),
        post(1, status=200, headers={"content-type": "x" * 257}),
        post(1, end=5),
        post(1, end={}),
        post(1, end={**END, "sha256": "A" * 64}),
        post(1, end={**END, "sha256": None}),
        post(1, end={**END, "messages": -1}),
        post(1, end={**END, "bytes": "2"}),
        post(1, error="broken"),
        post(1, error={"code": "unheard_of", "message": "x"}),
        post(1, error={"code": ["framework_broken"], "message": "x"}),
        post(1, error={"code": "framework_broken"}),
        post(1, end=END, error=ERROR),
    ],
)
def test_anything_else_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse_message(body)
