"""Whole answers of models behind Globus Compute, and the failures that have a status of their own."""

import time
from pathlib import Path

import openai
import pytest

from tests.e2e.compute_site import (
    DEAD,
    FIELD,
    FIELD_FAILING,
    MESSAGES,
    NO_JSON,
    OFFLINE,
    OLD,
    SENTENCE,
    SKIPPING,
    Site,
)
from tests.framework import BUSY, CHAT, FAILING, GARBAGE, PICKY


def test_chat_is_answered_with_the_frameworks_own_members(site: Site, client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model=CHAT, messages=MESSAGES, extra_body={"novel": {"kept": True}})
    assert answer.choices[0].message.content == SENTENCE
    assert answer.usage is not None
    assert answer.usage.total_tokens == 9
    body = site.framework.bodies[-1]
    assert body["messages"] == MESSAGES
    assert body["novel"] == {"kept": True}
    assert not body.keys() & {"openai_endpoint", "api_port", "relay"}


def test_answer_names_its_place(site: Site) -> None:
    response = site.ask(CHAT)
    assert response.status_code == 200
    assert (response.headers["x-gateway-cluster"], response.headers["x-model-state"]) == ("test", "hot")


def test_cluster_path_reaches_the_same_model(site: Site) -> None:
    base_url = f"{site.gateway.base_url}/test/vllm/v1"
    with openai.OpenAI(base_url=base_url, api_key=site.token, max_retries=0, timeout=30) as client:
        answer = client.chat.completions.create(model=CHAT, messages=MESSAGES)
    assert answer.choices[0].message.content == SENTENCE


def test_completions_and_embeddings_reach_their_own_routes(client: openai.OpenAI) -> None:
    assert client.completions.create(model=CHAT, prompt="x").choices[0].text == SENTENCE
    assert client.embeddings.create(model=CHAT, input=["x"]).data[0].embedding == [0.0, 0.5, -0.5]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("model", "status", "code"),
    [
        (FAILING, 502, "backend_error"),
        (FIELD_FAILING, 502, "backend_error"),
        (GARBAGE, 502, "backend_error"),
        (DEAD, 502, "backend_error"),
        (BUSY, 503, "overloaded"),
        (PICKY, 400, "invalid_value"),
        (OFFLINE, 503, "model_offline"),
    ],
)
def test_failure_before_the_first_byte_has_its_status(
    client: openai.OpenAI, model: str, status: int, code: str, *, stream: bool
) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model=model, messages=MESSAGES, stream=stream)
    assert (caught.value.status_code, caught.value.code) == (status, code)
    assert "10.1.2.3" not in str(caught.value)


def test_frameworks_own_refusal_reaches_the_client(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="maximum context length") as caught:
        client.chat.completions.create(model=PICKY, messages=MESSAGES)
    assert caught.value.param == "messages"


def test_offline_endpoint_is_refused_at_once_and_skipped(site: Site, client: openai.OpenAI) -> None:
    site.globus.admin.clear_ledger()
    asked_at = time.monotonic()
    refused = site.ask(OFFLINE)
    assert time.monotonic() - asked_at < 0.5
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "model_offline")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert client.chat.completions.create(model=SKIPPING, messages=MESSAGES).choices[0].message.content == SENTENCE
    calls = site.globus.admin.read_ledger("compute")
    assert len([call for call in calls if call["path"].endswith("/submit")]) == 1


def test_field_function_answers_without_its_figures(site: Site) -> None:
    answer = site.ask(FIELD).json()
    assert answer["choices"][0]["message"]["content"] == SENTENCE
    assert not answer.keys() & {"response_time", "throughput_tokens_per_second", "gateway_result"}


def test_field_functions_answer_is_streamed_by_the_gateway(site: Site, client: openai.OpenAI) -> None:
    options = {"include_usage": True}
    chunks = list(
        client.chat.completions.create(
            model=FIELD, messages=MESSAGES, stream=True, extra_body={"stream_options": options}
        )
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == SENTENCE
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 9
    assert site.framework.bodies[-1]["stream"] is False


def test_result_that_is_not_json_names_the_remedy(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError, match=r"3\.6 or newer") as caught:
        client.chat.completions.create(model=NO_JSON, messages=MESSAGES)
    assert (caught.value.status_code, caught.value.code) == (502, "backend_error")


def test_pickled_result_is_refused_and_never_unpickled(site: Site, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    answer = site.ask(OLD, trap=str(trap))
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "backend_error")
    assert "3.6 or newer" in answer.json()["error"]["message"]
    assert not trap.exists()
