"""What the function asks of the framework, and what it returns as the task's result."""

import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from resource_server.domain.operations import Operation
from tests.compute_functions.conftest import FUNCTION_FILE, Ask, Framework, load
from tests.compute_functions.servers import Exchange, serve, sse

ANSWER = {"id": "chatcmpl-1", "choices": [{"message": {"role": "assistant", "content": "Grüße 🌍"}}]}
BODY = json.dumps(ANSWER, ensure_ascii=False)


def test_answer_carries_status_headers_and_body(ask: Ask, framework: Framework) -> None:
    port = framework(lambda exchange: exchange.reply(200, BODY.encode())).port
    assert ask(port, model="m") == {
        "gateway_result": 1,
        "status": 200,
        "headers": {"content-type": "application/json"},
        "relayed": False,
        "body": BODY,
    }


def test_framework_gets_the_body_without_what_selected_it(ask: Ask, framework: Framework) -> None:
    seen: list[Exchange] = []

    def answer(exchange: Exchange) -> None:
        seen.append(exchange)
        exchange.reply(200)

    ask(framework(answer).port, openai_endpoint="embeddings", model="m", input=["é"], novel={"field": [1.5, None]})
    assert seen[0].handler.path == "/v1/embeddings"
    assert json.loads(seen[0].body) == {"model": "m", "input": ["é"], "novel": {"field": [1.5, None]}}
    assert seen[0].headers["x-request-id"] == "req_1"
    assert "authorization" not in seen[0].headers


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ({"gateway_request_id": "req_7", "traceparent": TRACE}, ("req_7", TRACE)),
        ({"gateway_request_id": "req_7"}, ("req_7", None)),
        ({"gateway_request_id": "req_7", "traceparent": f"{TRACE}\r\nx: y"}, ("req_7", None)),
        ({"gateway_request_id": "req_7", "traceparent": None}, ("req_7", None)),
    ],
)
def test_framework_gets_the_request_id_and_the_trace_as_headers(
    function: Callable[[object], str],
    framework: Framework,
    marks: dict[str, object],
    expected: tuple[str, str | None],
) -> None:
    seen: list[Exchange] = []

    def answer(exchange: Exchange) -> None:
        seen.append(exchange)
        exchange.reply(200)

    params = {"openai_endpoint": "embeddings", "api_port": framework(answer).port, "model": "m"}
    assert json.loads(function({"model_params": params, **marks}))["status"] == 200
    assert (seen[0].headers["x-request-id"], seen[0].headers.get("traceparent")) == expected
    assert json.loads(seen[0].body) == {"model": "m"}


def test_framework_error_is_an_answer(ask: Ask, framework: Framework) -> None:
    error = b'{"error": {"message": "too long"}}'
    port = framework(lambda exchange: exchange.reply(429, error, retry_after="7")).port
    result = ask(port)
    assert (result["status"], result["body"]) == (429, error.decode())
    assert result["headers"] == {"content-type": "application/json", "retry-after": "7"}


def test_stream_without_relay_is_returned_whole(ask: Ask, framework: Framework) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.begin_stream()
        exchange.write_chunk(sse({"n": 1}))
        exchange.write_chunk(b"data: [DONE]\n\n")
        exchange.write_chunk(b"")

    assert ask(framework(answer).port, stream=True)["body"] == 'data: {"n": 1}\n\ndata: [DONE]\n\n'


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"openai_endpoint": "../admin"}, "openai_endpoint"),
        ({"openai_endpoint": "chat/completions/"}, "openai_endpoint"),
        ({"openai_endpoint": None}, "openai_endpoint"),
        ({"openai_endpoint": ["embeddings"]}, "openai_endpoint"),
        ({"api_port": 0}, "api_port"),
        ({"api_port": 65536}, "api_port"),
        ({"api_port": "8000"}, "api_port"),
        ({"api_port": True}, "api_port"),
    ],
)
def test_bad_parameters_are_refused_by_name(ask: Ask, changes: dict[str, object], named: str) -> None:
    result = ask(**{"port": 8000, **changes})
    assert result["error"]["code"] == "bad_request"
    assert named in result["error"]["message"]


@pytest.mark.parametrize("payload", [None, [], "x", {}, {"model_params": []}, {"relay": 1}, {"relay": {"url": 1}}])
def test_malformed_payload_is_refused(function: Callable[[object], str], payload: object) -> None:
    assert json.loads(function(payload))["error"]["code"] == "bad_request"


def test_allowed_operations_are_those_of_the_gateway() -> None:
    assert load()["OPERATIONS"] == set(Operation)


def test_nothing_on_the_port_is_unreachable(ask: Ask) -> None:
    with serve(lambda _: None) as server:
        port = server.port
    assert ask(port)["error"]["code"] == "framework_unreachable"


def test_silent_framework_times_out(ask: Ask, framework: Framework, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFERENCE_SERVER_TIMEOUT_S", "0.2")

    def answer(exchange: Exchange) -> None:
        exchange.wait_for_leaving(5)

    assert ask(framework(answer).port)["error"]["code"] == "framework_timeout"


def begin_chunked(exchange: Exchange) -> None:
    exchange.begin_stream()
    exchange.write_chunk(sse({"n": 1}))
    exchange.break_off()


def begin_long(exchange: Exchange) -> None:
    exchange.begin(200, content_length="1000")
    exchange.write(b'{"choices": []}')
    exchange.break_off()


def begin_unbounded(exchange: Exchange) -> None:
    exchange.begin(200, content_type="text/event-stream", connection="close")
    exchange.write(sse({"n": 1}))
    exchange.break_off()


def begin_unbounded_json(exchange: Exchange) -> None:
    exchange.begin(200, connection="close")
    exchange.write(b'{"choices": [{"message": {}')
    exchange.break_off()


def send_half_a_character(exchange: Exchange) -> None:
    exchange.reply(200, "é".encode()[:1])


def hang_up(exchange: Exchange) -> None:
    exchange.break_off()


@pytest.mark.parametrize(
    "answer",
    [begin_chunked, begin_long, begin_unbounded, begin_unbounded_json, send_half_a_character, hang_up],
)
def test_truncated_answer_is_broken(ask: Ask, framework: Framework, answer: Callable[[Exchange], None]) -> None:
    assert ask(framework(answer).port)["error"]["code"] == "framework_broken"


@pytest.mark.parametrize("body", [b'data: {"n": 1}\n\ndata: [DONE]\n\n', b'{"choices": []}'])
def test_old_http_answer_that_shows_its_end_is_taken(ask: Ask, framework: Framework, body: bytes) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.begin(200, connection="close")
        exchange.write(body)
        exchange.break_off()

    assert ask(framework(answer).port)["body"] == body.decode()


def test_answer_over_the_result_cap_is_refused_without_relay(ask: Ask, framework: Framework) -> None:
    port = framework(lambda exchange: exchange.reply(200, b"x" * 9_500_000)).port
    assert ask(port)["error"]["code"] == "answer_too_large"


def test_cap_counts_the_escaped_text(function: Callable[[object], str], ask: Ask, framework: Framework) -> None:
    port = framework(lambda exchange: exchange.reply(200, b'"' * 3_000_000)).port
    assert ask(port)["error"]["code"] == "answer_too_large"


def test_key_comes_from_the_environment(ask: Ask, framework: Framework, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def answer(exchange: Exchange) -> None:
        seen.append(exchange.headers["authorization"])
        exchange.reply(200)

    monkeypatch.setenv("INFERENCE_SERVER_API_KEY", "framework-key")
    result = ask(framework(answer).port, api_key="from-the-body")
    assert seen == ["Bearer framework-key"]
    assert "framework-key" not in json.dumps(result)


def test_https_framework_is_verified(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = make_certificate(tmp_path)
    with serve(lambda exchange: exchange.reply(200, b'{"secure": true}')) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        monkeypatch.setenv("INFERENCE_SERVER_SCHEME", "https")
        assert ask(server.port)["error"]["code"] == "framework_unreachable"
        monkeypatch.setenv("INFERENCE_SERVER_CA_FILE", str(certificate))
        assert ask(server.port)["body"] == '{"secure": true}'


def make_certificate(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


def test_other_scheme_is_refused(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFERENCE_SERVER_SCHEME", "ftp")
    assert ask(8000)["error"]["code"] == "framework_unreachable"


def test_gateway_without_our_marks_finds_the_framework_answer_at_the_top(
    function: Callable[[object], str], framework: Framework
) -> None:
    port = framework(lambda exchange: exchange.reply(200, BODY.encode())).port
    text = function({"model_params": {"openai_endpoint": "chat/completions", "api_port": port}})
    assert json.loads(text) == {**ANSWER, "gateway_result": 1, **json.loads(text), "body": BODY, "status": 200}


def test_calls_do_not_share_anything(ask: Ask, framework: Framework) -> None:
    port = framework(lambda exchange: exchange.reply(200, exchange.body)).port
    results: dict[int, dict[str, Any]] = {}
    threads = [threading.Thread(target=lambda n=n: results.update({n: ask(port, number=n)})) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {n: json.loads(result["body"]) for n, result in results.items()} == {n: {"number": n} for n in range(20)}


def test_text_alone_suffices_on_a_bare_interpreter(framework: Framework) -> None:
    port = framework(lambda exchange: exchange.reply(200, BODY.encode())).port
    payload = {"model_params": {"openai_endpoint": "chat/completions", "api_port": port}, "gateway_request_id": "r"}
    program = (
        "import json, sys; source, payload = json.load(sys.stdin); names = {}; exec(source, names);"
        "sys.stdout.write(names['vllm_inference_function'](payload))"
    )
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", program],
        input=json.dumps([FUNCTION_FILE.read_text(encoding="utf-8"), payload]),
        capture_output=True,
        text=True,
        check=True,
        env={},
        timeout=20,
    )
    assert json.loads(run.stdout)["body"] == BODY
    assert run.stderr == ""
