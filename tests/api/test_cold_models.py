"""Models that are not hot, through the whole gateway: started ahead of time, held, and honest about it."""

import time
from collections.abc import Callable

import openai
import requests

from tests.api.conftest import COLD, COLD_START_S, Http, Stack
from tests.framework import CHAT


def test_hot_model_is_warm_already(http: Http) -> None:
    response = http.post(f"/v1/models/{CHAT}/warm")
    assert response.status_code == 200
    assert response.json() == {"id": CHAT, "object": "model", "status": "hot", "eta_s": None, "as_of": None}


def test_unknown_model_cannot_be_warmed(http: Http) -> None:
    response = http.post("/v1/models/no/such/warm")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")


def test_model_must_not_be_warmed_by_a_stranger(stack: Stack) -> None:
    url = f"{stack.gateway.base_url}/v1/models/{CHAT}/warm"
    assert requests.post(url, headers={"Authorization": "Bearer stranger"}, timeout=20).status_code == 401


STREAMED, WHOLE, IMPATIENT, WARMED = COLD
HELLO: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "one two three"}]


def find_status(http: Http, model: str) -> str:
    return str(http.get(f"/v1/models/{model}").json()["status"])


def test_stream_is_held_with_news_until_the_model_has_started(http: Http) -> None:
    assert find_status(http, STREAMED) == "cold"
    body = {"model": STREAMED, "messages": HELLO, "stream": True}
    with http.post("/v1/chat/completions", json=body, stream=True) as response:
        assert (response.status_code, response.headers["x-model-state"]) == (200, "cold")
        lines = [line.decode() for line in response.iter_lines() if line]
    assert lines[0] in {": cold position=1", ": starting position=1"}
    assert lines[-1] == "data: [DONE]"
    assert find_status(http, STREAMED) == "hot"


def test_answer_in_one_piece_waits_as_long_as_the_sdk_does(client_for: Callable[..., openai.OpenAI]) -> None:
    began = time.monotonic()
    answer = client_for().chat.completions.create(model=WHOLE, messages=HELLO)
    assert answer.choices[0].message.content
    assert time.monotonic() - began >= COLD_START_S


def test_client_that_cannot_wait_is_told_that_the_model_is_loading(http: Http) -> None:
    headers = {"x-stainless-read-timeout": "0.5"}
    body = {"model": IMPATIENT, "messages": HELLO}
    response = http.post("/v1/chat/completions", json=body, headers=headers)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "model_loading")
    assert response.headers["x-model-state"] in {"cold", "starting"}
    assert 1 <= int(response.headers["retry-after"]) <= 60
    assert http.post("/v1/chat/completions", json=body).status_code == 200, "it went on starting"


def test_model_is_started_without_asking_it_anything(http: Http) -> None:
    response = http.post(f"/v1/models/{WARMED}/warm")
    assert (response.status_code, response.json()["status"]) == (200, "cold")
    give_up_at = time.monotonic() + 10 * COLD_START_S
    while find_status(http, WARMED) != "hot":
        assert time.monotonic() < give_up_at
        time.sleep(0.1)
