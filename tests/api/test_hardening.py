"""What an attacker or a sloppy client sends, and what is on record of it."""

import http.client
import json
import socket
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import requests

from tests.api.conftest import Http, Stack
from tests.api.test_bad_input import check_envelope
from tests.api.test_failures import wait_until
from tests.framework import CHAT, FAILING, PICKY, SILENT
from tests.personas import ALICE, CHARLIE

MESSAGES: Any = [{"role": "user", "content": "hi"}]
QUERY = "SELECT sub, status, error_code, cancelled FROM resource_server_requestlog WHERE request_id = %s"
LATEST = "SELECT status, error_code, cancelled FROM resource_server_requestlog WHERE model = %s AND cancelled"
BIG = b"x" * 10 * 1024 * 1024
CHAT_PATH = "/v1/chat/completions"


def find_rows(stack: Stack, query: str, *parameters: str) -> list[tuple[Any, ...]]:
    """The rows of the query, waited for."""
    found: list[tuple[Any, ...]] = []

    def look() -> bool:
        with psycopg.connect(stack.conninfo) as connection:
            found[:] = connection.execute(query, parameters).fetchall()
        return bool(found)

    wait_until(look, 10)
    return found


def post(stack: Stack, token: str, **options: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.post(f"{stack.gateway.base_url}{CHAT_PATH}", headers=headers, timeout=20, **options)


@pytest.mark.parametrize(
    ("persona", "options", "expected"),
    [
        ("charlie", {"json": {}}, (CHARLIE.id, 403, "reauthentication_required", False)),
        ("made-up", {"json": {}}, ("", 401, "invalid_api_key", False)),
        ("alice", {"data": b"{"}, (ALICE.id, 400, "invalid_value", False)),
        ("alice", {"data": BIG}, (ALICE.id, 413, "request_too_large", False)),
        ("charlie", {"data": BIG}, (CHARLIE.id, 403, "reauthentication_required", False)),
    ],
    ids=["refused caller", "unknown caller", "no json", "too large", "refused caller with much to say"],
)
def test_request_that_never_reached_a_model_is_on_record(
    stack: Stack, persona: str, options: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    response = post(stack, stack.tokens.get(persona, persona), **options)
    assert find_rows(stack, QUERY, response.headers["x-request-id"]) == [expected]


@pytest.mark.parametrize(("model", "code"), [(FAILING, "backend_error"), (PICKY, "invalid_value")])
def test_stream_refused_before_its_first_byte_is_on_record_as_the_client_saw_it(
    stack: Stack, model: str, code: str
) -> None:
    response = post(stack, stack.tokens["alice"], json={"model": model, "messages": MESSAGES, "stream": True})
    rows = find_rows(stack, QUERY, response.headers["x-request-id"])
    assert rows == [(ALICE.id, response.status_code, code, False)]


def test_client_that_leaves_before_any_answer_is_on_record(stack: Stack) -> None:
    with pytest.raises(requests.Timeout):
        requests.post(
            f"{stack.gateway.base_url}{CHAT_PATH}",
            json={"model": SILENT, "messages": MESSAGES},
            headers={"Authorization": f"Bearer {stack.tokens['alice']}"},
            timeout=0.3,
        )
    assert (499, "", True) in find_rows(stack, LATEST, SILENT)


def test_wrong_method_on_an_inference_route_is_on_no_record(stack: Stack, http: Http) -> None:
    request_id = http.get(CHAT_PATH).headers["x-request-id"]
    later = http.post(CHAT_PATH, json={"model": CHAT, "messages": MESSAGES}).headers["x-request-id"]
    assert find_rows(stack, QUERY, later)
    with psycopg.connect(stack.conninfo) as connection:
        assert connection.execute(QUERY, (request_id,)).fetchall() == []


def test_head_answers_as_get_without_a_body(http: Http) -> None:
    response = http.session.head(f"{http.base_url}/health", timeout=5)
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize(
    ("name", "code"),
    [("x" * 20_000, "model_not_found"), ("%ff%00%zz", "model_not_found"), ("%0d%0aX-A:1", "not_found")],
)
def test_strange_model_name_in_the_path_is_404(http: Http, name: str, code: str) -> None:
    response = http.get(f"/v1/models/{name}")
    assert "x-a" not in response.headers
    assert len(check_envelope(response, 404, code)["message"]) < 1000


def test_strange_headers_change_nothing(stack: Stack) -> None:
    address = urlsplit(stack.gateway.base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
    headers = {"Content-Type": "text/plain; charset=no-such", "Cookie": "\xff=\xfe", "X-Request-Id": "mine"}
    connection.request("GET", f"{address.path}/health", headers=headers)
    response = connection.getresponse()
    assert (response.status, response.read()) == (200, b'{"status":"ok"}')
    assert response.headers["x-request-id"] != "mine"
    connection.close()


def test_compressed_body_is_refused_with_the_way_out(http: Http) -> None:
    response = http.post(CHAT_PATH, data=b"\x1f\x8b\x08\x00", headers={"Content-Encoding": "gzip"})
    assert "compressed" in check_envelope(response, 400, "invalid_value")["message"]


def test_one_connection_serves_after_every_error(http: Http) -> None:
    for path, body in ((CHAT_PATH, b"{"), ("/nope", b"x"), (CHAT_PATH, b"y" * 10_000_000), (CHAT_PATH, b"")):
        assert http.post(path, data=body).status_code in {400, 404, 413}
    good = {"model": CHAT, "messages": MESSAGES}
    assert http.post(CHAT_PATH, json=good).status_code == 200


def test_expect_continue_is_answered(stack: Stack) -> None:
    address = urlsplit(stack.gateway.base_url)
    body = json.dumps({"model": CHAT, "messages": MESSAGES}).encode()
    head = (
        f"POST {address.path}{CHAT_PATH} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
        f"Authorization: Bearer {stack.tokens['alice']}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 100")
        connection.sendall(body)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")


def test_body_for_peoples_pages_is_counted_before_anybody_is_known(stack: Stack) -> None:
    url = f"{stack.gateway.base_url}/admin/login/"
    check_envelope(requests.post(url, data=b"x" * 5_000_000, timeout=20), 413, "request_too_large")
    page = requests.get(url, timeout=20)
    form = {"username": "x", "password": "y", "csrfmiddlewaretoken": page.cookies["csrftoken"]}
    answer = requests.post(url, data=form, cookies=page.cookies, timeout=20)
    assert "Please enter the correct" in answer.text


@pytest.mark.parametrize("path", ["/admin", "/operator", "/admin/login"])
def test_peoples_pages_need_no_trailing_slash(stack: Stack, path: str) -> None:
    response = requests.get(f"{stack.gateway.base_url}{path}", timeout=20, headers={"Accept": "text/html"})
    assert response.headers["content-type"].startswith("text/html")
    assert response.status_code in {200, 401, 403}
