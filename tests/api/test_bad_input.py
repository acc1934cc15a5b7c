"""Bad input gets a clear 4xx in the envelope, whatever is wrong with it; never HTML, never a 5xx."""

import pytest
import requests

from tests.api.conftest import EMBEDDINGS_ONLY, Http, Stack
from tests.framework import CHAT

MIB = 1024 * 1024
CHAT_PATH = "/v1/chat/completions"
GOOD = f'{{"model":"{CHAT}","messages":[{{"role":"user","content":"hi"}}]'.encode()


def check_envelope(response: requests.Response, status: int, code: str) -> dict[str, str]:
    """The error of a response in the one envelope."""
    assert response.status_code == status, response.text[:300]
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"].startswith("req_")
    error: dict[str, str] = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == code
    assert error["message"]
    return error


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b'{"model": }',
        GOOD + b',"model":"other"}',
        GOOD + b',"temperature":NaN}',
        GOOD + b',"user":"a\\u0000b"}',
        b'{"a":' * 65 + b"1" + b"}" * 65,
        b'{"model":"x","messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"\xff\xfe{}",
        b"\x00" * 100,
    ],
    ids=["empty", "text", "list", "null", "broken", "duplicate", "nan", "nul", "deep", "bomb", "utf16", "zeros"],
)
def test_body_that_is_no_clean_json_is_400(http: Http, body: bytes) -> None:
    check_envelope(http.post(CHAT_PATH, data=body), 400, "invalid_value")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "model"),
        ({"model": 7, "messages": [{}]}, "model"),
        ({"model": CHAT}, "messages"),
        ({"model": CHAT, "messages": []}, "messages"),
        ({"model": CHAT, "messages": "hi"}, "messages"),
        ({"model": CHAT, "messages": [{}], "stream": "yes"}, "stream"),
        ({"model": CHAT, "messages": [{}], "max_tokens": "many"}, "max_tokens"),
        ({"model": CHAT, "messages": [{}], "n": 0}, "n"),
    ],
)
def test_mistyped_field_is_400_naming_it(http: Http, body: dict[str, object], param: str) -> None:
    assert check_envelope(http.post(CHAT_PATH, json=body), 400, "invalid_value")["param"] == param


@pytest.mark.parametrize("field", ["chat_template", "prompt_embeds", "openai_endpoint", "api_port", "cache_salt"])
def test_field_that_reaches_into_the_engine_is_refused(http: Http, stack: Stack, field: str) -> None:
    before = len(stack.framework.bodies)
    body = {"model": CHAT, "messages": [{"role": "user", "content": "x"}], field: "x"}
    assert check_envelope(http.post(CHAT_PATH, json=body), 400, "unsupported_parameter")["param"] == field
    assert len(stack.framework.bodies) == before


def test_operation_that_no_target_serves_is_400(http: Http) -> None:
    body = {"model": EMBEDDINGS_ONLY, "messages": [{"role": "user", "content": "x"}]}
    check_envelope(http.post(CHAT_PATH, json=body), 400, "unsupported_operation")


@pytest.mark.parametrize("size", [10 * MIB, 40 * MIB])
@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
def test_body_over_the_cap_is_413_that_the_client_sees(http: Http, size: int, chunked: bool) -> None:
    pieces = (b"x" * MIB for _ in range(size // MIB)) if chunked else b"x" * size
    check_envelope(http.post(CHAT_PATH, data=pieces), 413, "request_too_large")


def test_unknown_model_is_404(http: Http) -> None:
    body = {"model": "no/such", "messages": [{"role": "user", "content": "x"}]}
    assert check_envelope(http.post(CHAT_PATH, json=body), 404, "model_not_found")["param"] == "model"


@pytest.mark.parametrize(
    "path", ["/nope", "/v1/nope", "/v1/responses", "/polaris/jobs/x/y/z", "/%3Cscript%3E", "/../etc/passwd", "//"]
)
def test_unknown_route_is_404(http: Http, path: str) -> None:
    assert "<" not in check_envelope(http.get(path), 404, "not_found")["message"]


def test_doubled_version_names_the_mistake(http: Http) -> None:
    assert "/v1 twice" in check_envelope(http.post("/v1/v1/chat/completions", json={}), 404, "not_found")["message"]


@pytest.mark.parametrize(("method", "path"), [("GET", CHAT_PATH), ("DELETE", "/v1/models"), ("PUT", "/whoami")])
def test_wrong_method_is_405_with_allow(http: Http, method: str, path: str) -> None:
    response = http.session.request(method, http.base_url + path, timeout=20)
    check_envelope(response, 405, "method_not_allowed")
    assert response.headers["allow"]


def test_unknown_host_is_400(http: Http) -> None:
    check_envelope(http.get("/health", headers={"Host": "evil.example"}), 400, "invalid_value")


def test_root_of_the_server_is_404_in_the_envelope(stack: Stack) -> None:
    check_envelope(
        requests.get(stack.gateway.base_url.removesuffix("/resource_server") + "/", timeout=20), 404, "not_found"
    )
