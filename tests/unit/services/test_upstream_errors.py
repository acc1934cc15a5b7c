"""What a framework's refusal means to the client."""

import json

import pytest

from resource_server.services.upstream_errors import MESSAGE_CAP, build_rejection, is_worth_another_target


@pytest.mark.parametrize(
    ("upstream", "elsewhere", "status", "code"),
    [
        (400, False, 400, "invalid_value"),
        (409, False, 409, "invalid_value"),
        (413, False, 413, "invalid_value"),
        (422, False, 422, "invalid_value"),
        (401, True, 502, "backend_error"),  # the gateway's key, not the user's
        (403, True, 502, "backend_error"),
        (404, True, 502, "backend_error"),
        (408, True, 502, "backend_error"),  # SDKs retry a 408 three times
        (429, True, 503, "overloaded"),
        (503, True, 503, "overloaded"),
        (500, True, 502, "backend_error"),
        (302, True, 502, "backend_error"),
    ],
)
def test_status_is_mapped_and_only_refusals_of_the_request_are_final(
    upstream: int,
    elsewhere: bool,
    status: int,
    code: str,
) -> None:
    error = build_rejection(upstream, b"{}")
    assert is_worth_another_target(upstream) is elsewhere
    assert (error.http_status, error.envelope()["error"]["code"]) == (status, code)  # type: ignore[index]  # the envelope is typed as JSON


@pytest.mark.parametrize(
    ("body", "message", "param"),
    [
        ({"error": {"message": "too long", "param": "messages"}}, "too long", "messages"),
        ({"object": "error", "message": "too long", "param": None}, "too long", None),
        ({"error": "too long"}, "too long", None),
        ({"detail": "too long"}, "too long", None),
        ({"detail": [{"loc": ["body", "x"]}]}, '[{"loc":["body","x"]}]', None),
        ("too long", "The model's server refused the request.", None),
    ],
)
def test_frameworks_words_are_found_in_every_form(body: object, message: str, param: str | None) -> None:
    error = build_rejection(400, json.dumps(body).encode())
    assert (error.message, error.param) == (message, param)


def test_words_are_capped_and_html_is_not_passed_on() -> None:
    assert len(build_rejection(400, json.dumps({"error": {"message": "x" * 10_000}}).encode()).message) == MESSAGE_CAP
    assert "<" not in build_rejection(400, b"<html>oops</html>").message
