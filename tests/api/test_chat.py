"""Inference through the official SDK: whole and streamed, federated and on a cluster's path."""

from collections.abc import Callable
from typing import Any

import openai
import pytest

from tests.api.conftest import EMBEDDINGS_ONLY, FAILOVER, Http, Stack
from tests.framework import CHAT, WORDS

Clients = Callable[..., openai.OpenAI]
MESSAGES: Any = [{"role": "user", "content": "hi"}]
ANSWER = "".join(WORDS)


@pytest.mark.parametrize("base", ["/v1", "/polaris/vllm/v1"])
@pytest.mark.parametrize("persona", ["alice", "bob", "robot"])
def test_chat_whole_returns_the_answer_with_usage(client_for: Clients, persona: str, base: str) -> None:
    answer = client_for(persona, base).chat.completions.create(model=CHAT, messages=MESSAGES)
    assert answer.choices[0].message.content == ANSWER
    assert answer.usage is not None
    assert answer.usage.total_tokens == 9


@pytest.mark.parametrize("base", ["/v1", "/polaris/vllm/v1"])
def test_chat_streamed_returns_every_word_and_no_usage_chunk(client_for: Clients, base: str) -> None:
    chunks = list(client_for("alice", base).chat.completions.create(model=CHAT, messages=MESSAGES, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == ANSWER
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)


def test_chat_streamed_with_usage_ends_with_it(client_for: Clients) -> None:
    options: Any = {"include_usage": True}
    stream = client_for().chat.completions.create(model=CHAT, messages=MESSAGES, stream=True, stream_options=options)
    last = list(stream)[-1]
    assert last.usage is not None
    assert last.usage.completion_tokens == 4


def test_chat_forwards_fields_the_gateway_does_not_know(client_for: Clients, stack: Stack) -> None:
    extra = {"a_parameter_of_tomorrow": {"deep": [1, None, "x"]}}
    client_for().chat.completions.create(model=CHAT, messages=MESSAGES, temperature=0.5, extra_body=extra)
    body = stack.framework.bodies[-1]
    assert body["a_parameter_of_tomorrow"] == {"deep": [1, None, "x"]}
    assert body["temperature"] == 0.5


def test_chat_sends_no_token_and_no_client_header_downstream(client_for: Clients, stack: Stack) -> None:
    client_for().chat.completions.create(model=CHAT, messages=MESSAGES, extra_headers={"X-Request-Id": "mine"})
    headers = {name.lower(): value for name, value in stack.framework.headers[-1].items()}
    assert "authorization" not in headers
    assert "mine" not in headers.values()


def test_completions_returns_the_text(client_for: Clients) -> None:
    assert client_for().completions.create(model=CHAT, prompt="x").choices[0].text == ANSWER


def test_embeddings_in_the_sdks_own_encoding_returns_numbers(client_for: Clients) -> None:
    answer = client_for().embeddings.create(model=EMBEDDINGS_ONLY, input=["x"])
    assert answer.data[0].embedding == [0.0, 0.5, -0.5]


def test_first_target_dead_the_next_answers_under_its_own_name(http: Http, stack: Stack) -> None:
    response = http.post("/v1/chat/completions", json={"model": FAILOVER, "messages": MESSAGES})
    assert response.status_code == 200
    assert response.headers["x-gateway-cluster"] == "aurora"
    assert stack.framework.bodies[-1]["model"] == CHAT


def test_answer_headers_say_where_it_came_from(http: Http) -> None:
    response = http.post("/v1/chat/completions/", json={"model": CHAT, "messages": MESSAGES})
    assert response.headers["x-gateway-framework"] == "vllm"
    assert response.headers["x-model-state"] == "hot"
    assert response.headers["x-gateway-route-reason"]
    assert response.headers["x-request-id"].startswith("req_")
    assert {part.strip().split(";")[0] for part in response.headers["server-timing"].split(",")} == {
        "auth",
        "route",
        "queue",
        "upstream",
    }
