"""One row per request, with what it cost, whatever became of it."""

import time
from typing import Any

import psycopg
import requests

from tests.api.conftest import PREMIUM, Http, Stack
from tests.api.test_failures import wait_until
from tests.framework import CHAT, SLOW, TRUNCATED
from tests.personas import ALICE, BOB

MESSAGES: Any = [{"role": "user", "content": "a prompt that must never be stored"}]
QUERY = """
    SELECT sub, model, cluster, status, error_code, stream, prompt_tokens, completion_tokens, cancelled, usage_estimated
    FROM resource_server_requestlog WHERE request_id = %s
"""


def find_row(stack: Stack, request_id: str) -> tuple[Any, ...] | None:
    """The request's row, waited for; `None` if it does not come."""
    found: list[tuple[Any, ...]] = []

    def look() -> bool:
        with psycopg.connect(stack.conninfo) as connection:
            found[:] = connection.execute(QUERY, (request_id,)).fetchall()
        return bool(found)

    return found[0] if wait_until(look, 10) else None


def test_whole_answer_is_recorded_with_the_frameworks_count(http: Http, stack: Stack) -> None:
    response = http.post("/v1/chat/completions", json={"model": CHAT, "messages": MESSAGES})
    row = find_row(stack, response.headers["x-request-id"])
    assert row == (ALICE.id, CHAT, "polaris", 200, "", False, 5, 4, False, False)


def test_stream_is_recorded_with_usage_the_client_did_not_ask_for(http: Http, stack: Stack) -> None:
    response = http.post("/v1/chat/completions", json={"model": CHAT, "messages": MESSAGES, "stream": True})
    row = find_row(stack, response.headers["x-request-id"])
    assert row == (ALICE.id, CHAT, "polaris", 200, "", True, 5, 4, False, False)


def test_broken_stream_is_recorded_with_an_estimate_and_its_error(http: Http, stack: Stack) -> None:
    response = http.post("/v1/chat/completions", json={"model": TRUNCATED, "messages": MESSAGES, "stream": True})
    row = find_row(stack, response.headers["x-request-id"])
    assert row == (ALICE.id, TRUNCATED, "polaris", 200, "stream_interrupted", True, None, 4, False, True)


def test_refusal_is_recorded(stack: Stack) -> None:
    headers = {"Authorization": f"Bearer {stack.tokens['bob']}"}
    url = f"{stack.gateway.base_url}/v1/chat/completions"
    response = requests.post(url, json={"model": PREMIUM, "messages": MESSAGES}, headers=headers, timeout=20)
    row = find_row(stack, response.headers["x-request-id"])
    assert row == (BOB.id, PREMIUM, "", 404, "model_not_found", False, None, None, False, False)


def test_client_that_leaves_is_charged_what_was_produced(stack: Stack) -> None:
    headers = {"Authorization": f"Bearer {stack.tokens['alice']}"}
    body = {"model": SLOW, "messages": MESSAGES, "stream": True}
    url = f"{stack.gateway.base_url}/v1/chat/completions"
    with requests.post(url, json=body, headers=headers, timeout=20, stream=True) as response:
        request_id = response.headers["x-request-id"]
        time.sleep(0.5)
    row = find_row(stack, request_id)
    assert row is not None
    *_, completion_tokens, cancelled, estimated = row
    assert 5 <= completion_tokens <= 30
    assert (cancelled, estimated) == (True, True)


def test_prompts_and_tokens_are_in_no_log(http: Http, stack: Stack) -> None:
    http.post("/v1/chat/completions", json={"model": TRUNCATED, "messages": MESSAGES, "stream": True})
    log = stack.gateway.log
    assert "stream_failed" in log
    assert "a prompt that must never be stored" not in log
    assert stack.tokens["alice"] not in log
