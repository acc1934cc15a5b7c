"""Streams of models behind Globus Compute: token by token, honest to the end, stopped when nobody reads."""

import time
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlsplit

import openai
import orjson
import pytest

from tests.e2e.compute_site import MESSAGES, SENTENCE, Site, wait_until
from tests.framework import CHAT, COMPLAINING, SILENT, SLOW, STALLING, TRUNCATED, UNFINISHED

CUT_S = 2.0
"""Invariant of the wire contract: the client's leaving stops the framework within this time."""


def test_stream_brings_every_word_and_ends(client: openai.OpenAI) -> None:
    chunks = list(client.chat.completions.create(model=CHAT, messages=MESSAGES, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == SENTENCE
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)


def test_usage_comes_last_where_it_is_asked_for(client: openai.OpenAI) -> None:
    options: openai.types.chat.ChatCompletionStreamOptionsParam = {"include_usage": True}
    chunks = list(client.chat.completions.create(model=CHAT, messages=MESSAGES, stream=True, stream_options=options))
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 9


def test_stream_has_the_headers_that_keep_proxies_from_holding_it(site: Site) -> None:
    response = site.ask(CHAT, stream=True)
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["x-accel-buffering"] == "no"
    assert response.text.endswith("data: [DONE]\n\n")


def test_tokens_arrive_while_the_framework_still_writes(site: Site) -> None:
    before = site.framework.tokens_sent
    arrived_at = []
    with site.open_stream(SLOW, stream=True) as response:
        for line in response.iter_lines():
            if b"tick" in line:
                arrived_at.append(time.monotonic())
                assert site.framework.tokens_sent - before < len(arrived_at) + 20  # a second's worth
            if len(arrived_at) == 12:
                break
    assert arrived_at[-1] - arrived_at[0] > 0.3


@pytest.mark.parametrize("model", [TRUNCATED, UNFINISHED, COMPLAINING, STALLING])
def test_stream_that_does_not_finish_raises_in_the_sdk(client: openai.OpenAI, model: str) -> None:
    words: list[str] = []
    chunks = client.chat.completions.create(model=model, messages=MESSAGES, stream=True)
    with pytest.raises(openai.APIError) as caught:
        words.extend(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert caught.value.code == "stream_interrupted"
    assert "".join(words).startswith("The")


@pytest.mark.parametrize("model", [TRUNCATED, UNFINISHED, COMPLAINING])
def test_stream_that_does_not_finish_never_says_done(site: Site, model: str) -> None:
    response = site.ask(model, stream=True)
    assert response.status_code == 200
    assert "[DONE]" not in response.text
    last = response.text.rstrip().splitlines()[-1]
    assert orjson.loads(last.removeprefix("data: "))["error"].keys() == {"message", "type", "param", "code"}


@pytest.fixture
def connection(site: Site) -> Iterator[HTTPConnection]:
    """A connection that a test closes when it likes."""
    connection = HTTPConnection(urlsplit(site.gateway.base_url).netloc, timeout=20)
    yield connection
    connection.close()


def send(connection: HTTPConnection, site: Site, model: str, *, stream: bool) -> None:
    body = orjson.dumps({"model": model, "messages": MESSAGES, "stream": stream})
    headers = {**site.headers, "Content-Type": "application/json"}
    connection.request("POST", "/resource_server/v1/chat/completions", body, headers)


def test_client_that_leaves_between_tokens_stops_the_framework(site: Site, connection: HTTPConnection) -> None:
    cuts = len(site.framework.cut_at)
    send(connection, site, SLOW, stream=True)
    response = connection.getresponse()
    while b"tick" not in response.readline():
        pass
    response.close()
    connection.close()
    left_at = time.monotonic()
    assert wait_until(lambda: len(site.framework.cut_at) > cuts, 10)
    assert site.framework.cut_at[-1] - left_at < CUT_S
    sent = site.framework.tokens_sent
    assert not wait_until(lambda: site.framework.tokens_sent > sent, 0.2)


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_client_that_leaves_before_the_first_token_stops_the_framework(
    site: Site, connection: HTTPConnection, *, stream: bool
) -> None:
    asked, cuts = len(site.framework.bodies), len(site.framework.cut_at)
    send(connection, site, SILENT, stream=stream)
    assert wait_until(lambda: len(site.framework.bodies) > asked, 10)
    connection.close()
    left_at = time.monotonic()
    assert wait_until(lambda: len(site.framework.cut_at) > cuts, 10)
    assert site.framework.cut_at[-1] - left_at < CUT_S


def test_client_that_leaves_disturbs_nobody_else(site: Site, client: openai.OpenAI, connection: HTTPConnection) -> None:
    stream = client.chat.completions.create(model=SLOW, messages=MESSAGES, stream=True)
    next(iter(stream))
    cuts = len(site.framework.cut_at)
    send(connection, site, SILENT, stream=False)
    connection.close()
    words = (chunk.choices[0].delta.content for chunk in stream)
    assert [next(words) for _ in range(20)].count(" tick") > 15
    stream.close()
    assert wait_until(lambda: len(site.framework.cut_at) > cuts, 10)
