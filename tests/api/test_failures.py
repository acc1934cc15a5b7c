"""Frameworks that fail, and clients that leave: honest errors, in the SDK's own exception classes."""

import time
from collections.abc import Callable
from typing import Any

import openai
import pytest
import requests

from tests.api.conftest import DEAD, Http, Stack
from tests.framework import (
    BUSY,
    CHAT,
    COMPLAINING,
    FAILING,
    GARBAGE,
    PICKY,
    SILENT,
    SLOW,
    STALLING,
    TRUNCATED,
    UNFINISHED,
)

Clients = Callable[..., openai.OpenAI]
MESSAGES: Any = [{"role": "user", "content": "hi"}]


def wait_until(condition: Callable[[], object], seconds: float) -> bool:
    """Whether `condition` came true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("model", "exception", "status", "code"),
    [
        (FAILING, openai.InternalServerError, 502, "backend_error"),
        (DEAD, openai.InternalServerError, 502, "backend_error"),
        (BUSY, openai.InternalServerError, 503, "overloaded"),
        (GARBAGE, openai.InternalServerError, 502, "backend_error"),
        (PICKY, openai.BadRequestError, 400, "invalid_value"),
    ],
)
def test_failure_before_the_first_byte_raises_with_its_status(
    client_for: Clients,
    model: str,
    exception: type[openai.APIStatusError],
    status: int,
    code: str,
    *,
    stream: bool,
) -> None:
    with pytest.raises(exception) as caught:
        client_for().chat.completions.create(model=model, messages=MESSAGES, stream=stream)
    assert caught.value.status_code == status
    assert caught.value.code == code
    assert "10.1.2.3" not in str(caught.value)


def test_frameworks_own_refusal_reaches_the_client(client_for: Clients) -> None:
    with pytest.raises(openai.BadRequestError, match="maximum context length") as caught:
        client_for().chat.completions.create(model=PICKY, messages=MESSAGES)
    assert caught.value.param == "messages"


@pytest.mark.parametrize("model", [TRUNCATED, UNFINISHED, COMPLAINING, STALLING])
def test_stream_that_does_not_finish_raises_in_the_sdk(client_for: Clients, model: str) -> None:
    chunks = client_for().chat.completions.create(model=model, messages=MESSAGES, stream=True)
    words: list[str] = []
    with pytest.raises(openai.APIError) as caught:
        words.extend(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert caught.value.code == "stream_interrupted"
    assert "".join(words).startswith("The quick")


def test_stream_that_does_not_finish_never_says_done(http: Http) -> None:
    response = http.post("/v1/chat/completions", json={"model": TRUNCATED, "messages": MESSAGES, "stream": True})
    assert response.status_code == 200
    assert "[DONE]" not in response.text
    assert response.text.rstrip().splitlines()[-1].startswith('data: {"error"')


@pytest.mark.parametrize(
    ("model", "stream"),
    [(SLOW, True), (SILENT, True), (SILENT, False)],
    ids=["between tokens", "before the first token", "before a whole answer"],
)
def test_client_that_leaves_stops_the_framework(stack: Stack, model: str, stream: bool) -> None:
    cuts = len(stack.framework.cut_at)
    headers = {"Authorization": f"Bearer {stack.tokens['alice']}"}
    body = {"model": model, "messages": MESSAGES, "stream": stream}
    url = f"{stack.gateway.base_url}/v1/chat/completions"
    if model == SLOW:
        with requests.post(url, json=body, headers=headers, timeout=20, stream=True) as response:
            assert next(response.iter_lines())
    else:
        with pytest.raises(requests.Timeout):
            requests.post(url, json=body, headers=headers, timeout=0.5)
    left_at = time.monotonic()
    assert wait_until(lambda: len(stack.framework.cut_at) > cuts, 3)
    assert stack.framework.cut_at[-1] - left_at < 2


def test_many_clients_leaving_leave_room_for_the_next(stack: Stack, client_for: Clients) -> None:
    headers = {"Authorization": f"Bearer {stack.tokens['alice']}"}
    url = f"{stack.gateway.base_url}/v1/chat/completions"
    for _ in range(20):
        body = {"model": SLOW, "messages": MESSAGES, "stream": True}
        with requests.post(url, json=body, headers=headers, timeout=20, stream=True) as response:
            next(response.iter_lines())
    assert client_for().chat.completions.create(model=CHAT, messages=MESSAGES).choices


def test_silent_stream_gets_heartbeats(stack: Stack) -> None:
    headers = {"Authorization": f"Bearer {stack.tokens['alice']}"}
    body = {"model": SILENT, "messages": MESSAGES, "stream": True}
    url = f"{stack.gateway.base_url}/v1/chat/completions"
    asked_at = time.monotonic()
    with requests.post(url, json=body, headers=headers, timeout=20, stream=True) as response:
        assert response.status_code == 200
        assert next(response.iter_lines()).startswith(b":")
        assert time.monotonic() - asked_at < 11
