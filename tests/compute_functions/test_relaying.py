"""How the function relays: order, batches, totals, cancels, a gateway that is away, proxies."""

import base64
import hashlib
import json
import queue
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count
from typing import Any

import pytest

from tests.compute_functions.conftest import Ask, AskLater, Framework
from tests.compute_functions.servers import Exchange, RelayServer, serve, sse

DONE = b"data: [DONE]\n\n"


def stream(*events: bytes, pause_s: float = 0.0) -> Callable[[Exchange], None]:
    """A framework that sends these events, one chunk each."""

    def answer(exchange: Exchange) -> None:
        exchange.begin_stream()
        for event in events:
            exchange.write_chunk(event)
            time.sleep(pause_s)
        exchange.write_chunk(b"")

    return answer


def has(member: str) -> Callable[[dict[str, Any]], bool]:
    return lambda message: member in message


def test_plain_answer_is_one_message_after_started(ask: Ask, framework: Framework, relay: RelayServer) -> None:
    body = '{"content": "Grüße 🌍"}'
    result = ask(framework(lambda exchange: exchange.reply(200, body.encode())).port, relay)
    totals = {"messages": 1, "bytes": len(body.encode()), "sha256": hashlib.sha256(body.encode()).hexdigest()}
    attempt = relay.messages[0]["attempt"]
    headers = {"content-type": "application/json"}
    assert relay.messages == [
        {"attempt": attempt, "seq": 0},
        {"attempt": attempt, "seq": 1, "status": 200, "headers": headers, "data": body, "end": totals},
    ]
    assert len(bytes.fromhex(attempt)) == 16
    assert result == {"gateway_result": 1, "status": 200, "headers": headers, "relayed": True, "end": totals}


def test_started_comes_before_the_framework_is_asked(ask: Ask, framework: Framework, relay: RelayServer) -> None:
    known: list[int] = []

    def answer(exchange: Exchange) -> None:
        known.append(len(relay.messages))
        exchange.reply(200)

    ask(framework(answer).port, relay)
    assert known == [1]


def test_first_event_goes_at_once_and_later_ones_in_batches(ask: Ask, framework: Framework, relay: RelayServer) -> None:
    events = [sse({"n": n}) for n in range(60)]
    ask(framework(stream(*events, DONE, pause_s=0.005)).port, relay, stream=True)
    data = [message["data"] for message in relay.messages if "data" in message]
    assert data[0] == events[0].decode()
    assert 5 <= len(data) <= 25
    assert all(part.endswith("\n\n") for part in data)
    assert "".join(data) == b"".join([*events, DONE]).decode()
    assert [message["seq"] for message in relay.messages] == list(range(len(relay.messages)))
    assert len(relay.connections) == 1


def test_events_arrive_while_the_framework_still_writes(
    ask_later: AskLater, framework: Framework, relay: RelayServer
) -> None:
    go_on = threading.Event()

    def answer(exchange: Exchange) -> None:
        exchange.begin_stream()
        exchange.write_chunk(sse({"n": 1}))
        assert go_on.wait(5)
        exchange.write_chunk(DONE)
        exchange.write_chunk(b"")

    running = ask_later(framework(answer).port, relay)
    relay.wait_for(has("data"))
    assert not running.done()
    go_on.set()
    assert running.result(5)["relayed"]


def test_characters_and_events_survive_any_chunk_border(ask: Ask, framework: Framework, relay: RelayServer) -> None:
    text = sse({"text": "Grüße 🌍 ｱ"}) + DONE
    result = ask(framework(stream(*(bytes([byte]) for byte in text))).port, relay)
    assert relay.data == text.decode()
    assert all(message.get("data", "\n\n").endswith("\n\n") for message in relay.messages)
    assert result["end"]["sha256"] == hashlib.sha256(text).hexdigest()


def test_large_answer_is_split_below_the_message_limit(ask: Ask, framework: Framework, relay: RelayServer) -> None:
    body = '"\\\u0001é🌍' * 1_000_000
    result = ask(framework(lambda exchange: exchange.reply(200, body.encode())).port, relay)
    assert relay.data == body
    assert result["end"] == {
        "messages": sum("data" in message for message in relay.messages),
        "bytes": len(body.encode()),
        "sha256": hashlib.sha256(body.encode()).hexdigest(),
    }


def test_truncated_stream_ends_in_an_error_message(ask: Ask, framework: Framework, relay: RelayServer) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.begin_stream()
        exchange.write_chunk(sse({"n": 1}))
        exchange.break_off()

    result = ask(framework(answer).port, relay)
    assert relay.messages[-1]["error"]["code"] == result["error"]["code"] == "framework_broken"
    assert not any(map(has("end"), relay.messages))


def test_unreachable_framework_is_reported_through_the_relay(ask: Ask, relay: RelayServer) -> None:
    with serve(lambda _: None) as server:
        port = server.port
    ask(port, relay)
    assert [message.get("error", {}).get("code") for message in relay.messages] == [None, "framework_unreachable"]


def test_refused_request_is_reported_through_the_relay(ask: Ask, relay: RelayServer) -> None:
    ask(0, relay)
    assert relay.messages[-1]["error"]["code"] == "bad_request"


def test_empty_answer_still_tells_status_and_end(ask: Ask, framework: Framework, relay: RelayServer) -> None:
    ask(framework(lambda exchange: exchange.reply(503, b"")).port, relay)
    assert relay.messages[-1]["status"] == 503
    assert relay.messages[-1]["end"]["messages"] == 0


def test_silent_framework_is_bridged_by_pings(ask_later: AskLater, framework: Framework, relay: RelayServer) -> None:
    go_on = threading.Event()

    def answer(exchange: Exchange) -> None:
        assert go_on.wait(10)
        exchange.reply(200)

    running = ask_later(framework(answer).port, relay)
    relay.wait_for(lambda message: "seq" not in message)
    go_on.set()
    assert running.result(5)["relayed"]
    pings = [message for message in relay.messages if "seq" not in message]
    assert pings[0] == {"attempt": relay.messages[0]["attempt"]}
    assert 0.8 <= relay.times[1] - relay.times[0] <= 1.5


@pytest.mark.parametrize("is_streaming", [False, True])
def test_gone_closes_the_connection_to_the_framework(
    ask_later: AskLater, framework: Framework, relay: RelayServer, *, is_streaming: bool
) -> None:
    left: queue.SimpleQueue[float | None] = queue.SimpleQueue()
    is_gone = threading.Event()

    def answer(exchange: Exchange) -> None:
        if is_streaming:
            exchange.begin_stream()
            exchange.write_chunk(sse({"n": 1}))
        left.put(exchange.wait_for_leaving(5))

    relay.decide = lambda _message: (410 if is_gone.is_set() else 200, {})
    running = ask_later(framework(answer).port, relay)
    relay.wait_for(has("data") if is_streaming else has("seq"))
    is_gone.set()
    assert running.result(5)["error"]["code"] == "stream_gone"
    left_after_s = left.get(timeout=5)
    assert left_after_s is not None
    assert left_after_s < 2


def test_gone_at_the_start_never_asks_the_framework(ask: Ask, framework: Framework, relay: RelayServer) -> None:
    asked: list[Exchange] = []
    relay.decide = lambda _message: (410, {})
    assert ask(framework(asked.append).port, relay)["error"]["code"] == "stream_gone"
    assert asked == []
    assert len(relay.messages) == 1


def test_forbidden_stops_posting_and_the_result_carries_the_answer(
    ask: Ask, framework: Framework, relay: RelayServer
) -> None:
    relay.decide = lambda message: (403 if "data" in message else 200, {})
    result = ask(framework(stream(sse({"n": 1}), DONE)).port, relay)
    assert (result["relayed"], result["body"]) == (False, 'data: {"n": 1}\n\ndata: [DONE]\n\n')
    assert sum("data" in message for message in relay.messages) == 1


def test_cap_of_the_gateway_ends_the_run(ask: Ask, framework: Framework, relay: RelayServer) -> None:
    relay.decide = lambda message: (413 if "data" in message else 200, {})
    result = ask(framework(stream(sse({"n": 1}), DONE)).port, relay)
    assert result["error"]["code"] == "answer_too_large"


@pytest.mark.parametrize(("status", "headers"), [(503, {}), (429, {"Retry_After": "1"})])
def test_busy_gateway_gets_the_same_message_again(
    ask: Ask, framework: Framework, relay: RelayServer, status: int, headers: dict[str, str]
) -> None:
    refusals = count()
    relay.decide = lambda message: (status, headers) if "data" in message and next(refusals) < 2 else (200, {})
    assert ask(framework(stream(sse({"n": 1}) + DONE)).port, relay)["relayed"]
    repeated = [message for message in relay.messages if message.get("seq") == 1]
    assert len(repeated) == 3
    assert repeated[0] == repeated[1] == repeated[2]
    waited = relay.times[2] - relay.times[1]
    assert waited >= (1.0 if headers else 0.04)


def test_conflict_makes_the_function_repeat_what_is_missing(ask: Ask, framework: Framework, relay: RelayServer) -> None:
    conflicts = count()
    relay.decide = lambda message: (409 if "end" in message and next(conflicts) == 0 else 200, {})
    assert ask(framework(stream(sse({"n": 1}), DONE, pause_s=0.05)).port, relay)["relayed"]
    seqs = [message["seq"] for message in relay.messages]
    last = max(seqs)
    at = seqs.index(last)
    assert seqs[at:] == [last, *range(last), last]


def test_gateway_that_comes_back_is_caught_up(ask: Ask, framework: Framework, relay: RelayServer) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(serve(relay.answer))
        relay.port = server.port

        def answer(exchange: Exchange) -> None:
            server.shutdown()
            server.server_close()
            relay.drop_connections()
            threading.Timer(0.3, lambda: stack.enter_context(serve(relay.answer, relay.port))).start()
            exchange.reply(200, b"late")

        assert ask(framework(answer).port, relay)["relayed"]
    assert [message["seq"] for message in relay.messages] == [0, 1]
    assert relay.data == "late"


def test_gateway_that_goes_for_good_leaves_the_answer_to_the_result(
    function_with: Callable[..., Callable[[object], str]], framework: Framework, relay: RelayServer
) -> None:
    relay.decide = lambda message: (503 if "data" in message else 200, {})
    params = {"openai_endpoint": "completions", "api_port": framework(lambda exchange: exchange.reply(200)).port}
    text = function_with(RELAY_GIVE_UP_S=0.2)({"model_params": params, "relay": relay.address})
    assert (json.loads(text)["relayed"], json.loads(text)["body"]) == (False, "{}")


def test_gateway_that_was_never_there_leaves_the_answer_to_the_result(
    function: Callable[[object], str], framework: Framework, relay: RelayServer
) -> None:
    with serve(lambda _: None) as server:
        relay.port = server.port
    params = {"openai_endpoint": "completions", "api_port": framework(lambda exchange: exchange.reply(200)).port}
    began = time.monotonic()
    text = function({"model_params": params, "relay": relay.address})
    assert time.monotonic() - began < 2
    assert (json.loads(text)["relayed"], json.loads(text)["body"]) == (False, "{}")


def test_lagging_gateway_holds_the_framework_back(
    ask_later: AskLater, framework: Framework, relay: RelayServer
) -> None:
    go_on = threading.Event()
    written = count()
    event = sse({"text": "x" * 100_000})

    def answer(exchange: Exchange) -> None:
        exchange.begin_stream()
        for _ in range(400):
            exchange.write_chunk(event)
            next(written)
        exchange.write_chunk(DONE)
        exchange.write_chunk(b"")

    def decide(message: dict[str, Any]) -> tuple[int, dict[str, str]]:
        if "data" in message:
            go_on.wait(10)
        return 200, {}

    relay.decide = decide
    running = ask_later(framework(answer).port, relay)
    time.sleep(1)
    written_at_once = next(written)
    go_on.set()
    assert written_at_once < 200
    assert running.result(20)["end"]["bytes"] == 400 * len(event) + len(DONE)


def test_relay_goes_through_the_proxy_of_the_environment(
    ask: Ask, framework: Framework, relay: RelayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def tunnel(exchange: Exchange) -> None:
        """Answer CONNECT, then speak for the relay on the same connection."""
        asked.append((exchange.handler.path, exchange.headers.get("proxy-authorization", "")))
        exchange.handler.send_response(200)
        exchange.handler.end_headers()
        exchange.handler.close_connection = False
        exchange.handler.server.answer = relay.answer

    port = framework(lambda exchange: exchange.reply(200)).port
    with serve(tunnel) as proxy:
        monkeypatch.setenv("http_proxy", f"http://user:p%40ss@127.0.0.1:{proxy.port}")
        real_port = relay.port
        result = ask(port, relay)
        credentials = "Basic " + base64.b64encode(b"user:p@ss").decode()
        assert asked == [(f"127.0.0.1:{real_port}", credentials)]
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        ask(port, relay)
    assert result["relayed"]
    assert len(asked) == 1
