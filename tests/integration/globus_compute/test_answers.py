"""Answers and streams through the whole compute path."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from resource_server.backends.base import UpstreamTimeout, UpstreamUnavailable
from resource_server.backends.globus_compute.backend import GlobusComputeBackend
from resource_server.domain.operations import Operation
from resource_server.domain.states import ModelState
from tests.framework import PICKY, SILENT, SLOW, WORDS
from tests.integration.globus_compute.conftest import (
    UUID_FILE,
    Ask,
    Cluster,
    Gateway,
    build_call,
    read_all,
    run_registration,
    sdk_environment,
    wait_until,
)

SENTENCE = "".join(WORDS)


def test_registration_prints_and_stores_the_uuid(cluster: Cluster, tmp_path: Path) -> None:
    done = run_registration(tmp_path, sdk_environment(cluster.globus))
    function_id = (tmp_path / UUID_FILE).read_text().strip()
    assert done.stdout.splitlines() == [
        f"Function registered with UUID - {function_id}",
        f"The UUID is stored in {UUID_FILE}.",
    ]


def test_registration_without_credentials_says_what_to_set(cluster: Cluster, tmp_path: Path) -> None:
    done = run_registration(tmp_path, {**sdk_environment(cluster.globus), "GLOBUS_COMPUTE_CLIENT_SECRET": ""})
    assert done.returncode == 1
    assert "GLOBUS_COMPUTE_CLIENT_SECRET is not set" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_registration_with_wrong_credentials_says_so(cluster: Cluster, tmp_path: Path) -> None:
    done = run_registration(tmp_path, {**sdk_environment(cluster.globus), "GLOBUS_COMPUTE_CLIENT_SECRET": "wrong"})
    assert done.returncode == 1
    assert "The function was not registered" in done.stderr
    assert "Traceback" not in done.stderr


async def test_answer_comes_whole(ask: Ask, cluster: Cluster) -> None:
    status, headers, body = await ask(novel={"kept": True})
    assert (status, headers["content-type"]) == (200, "application/json; charset=utf-8")
    assert json.loads(body)["choices"][0]["message"]["content"] == SENTENCE
    [seen] = cluster.framework.bodies
    assert seen["novel"] == {"kept": True}
    assert seen["messages"][0]["content"] == "Grüße"
    assert "openai_endpoint" not in seen
    assert "api_port" not in seen


async def test_row_wins_over_what_the_body_says(ask: Ask) -> None:
    status, _, _ = await ask(openai_endpoint="embeddings", api_port=1)
    assert status == 200


async def test_stream_comes_as_it_is(ask: Ask) -> None:
    status, headers, body = await ask(stream=True, stream_options={"include_usage": True})
    assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert body.endswith(b"data: [DONE]\n\n")
    assert [json.loads(event[6:])["choices"][0]["delta"].get("content") for event in body.split(b"\n\n")[1:5]] == WORDS


async def test_embeddings_and_completions_reach_their_routes(ask: Ask) -> None:
    _, _, embedding = await ask(operation=Operation.EMBEDDINGS, input="x")
    _, _, completion = await ask(operation=Operation.COMPLETIONS, prompt="x")
    assert json.loads(embedding)["data"][0]["embedding"] == [0.0, 0.5, -0.5]
    assert json.loads(completion)["choices"][0]["text"] == SENTENCE


async def test_framework_refusal_is_an_answer(ask: Ask) -> None:
    status, _, body = await ask(target={"model": PICKY})
    assert status == 400
    assert json.loads(body)["error"]["message"] == "maximum context length is 10"


async def test_field_function_answers_without_its_figures(ask: Ask, cluster: Cluster) -> None:
    status, _, body = await ask("field")
    document = json.loads(body)
    assert (status, document["choices"][0]["message"]["content"]) == (200, SENTENCE)
    assert document.keys() & {"response_time", "throughput_tokens_per_second"} == set()


async def test_field_function_is_streamed_by_the_gateway(ask: Ask, cluster: Cluster) -> None:
    _, headers, body = await ask("field", stream=True, stream_options={"include_usage": True})
    assert headers["content-type"].startswith("text/event-stream")
    events = [json.loads(event[6:]) for event in body.split(b"\n\n")[:-2]]
    deltas = [event["choices"][0]["delta"] for event in events[:3]]
    assert deltas == [{"role": "assistant", "content": ""}, {"content": SENTENCE}, {}]
    assert events[2]["choices"][0]["finish_reason"] == "stop"
    assert events[3]["usage"]["total_tokens"] == 9
    assert cluster.framework.bodies[0]["stream"] is False
    assert "stream_options" not in cluster.framework.bodies[0]


async def test_answers_without_a_relay_come_in_the_result(gateway: Gateway, cluster: Cluster) -> None:
    backend = await gateway.start_backend(relay_enabled=False)
    for body in ({}, {"stream": True}):
        upstream = await backend.open(build_call(cluster.target(), **body))
        assert (await read_all(upstream)).endswith(b"data: [DONE]\n\n" if body else b"}")
        await upstream.aclose()
    assert gateway.posts == []


async def test_many_at_once_each_get_their_own(backend: GlobusComputeBackend, cluster: Cluster) -> None:
    async def one(number: int) -> str:
        target = cluster.target(model=f"model-{number}", max_concurrency=512)
        upstream = await backend.open(build_call(target, stream=number % 2 == 0))
        try:
            return (await read_all(upstream)).decode()
        finally:
            await upstream.aclose()

    bodies = await asyncio.gather(*map(one, range(40)))
    assert all(f'"model-{number}"' in body.replace(" ", "").replace("model:", "") for number, body in enumerate(bodies))


async def test_first_token_comes_at_once(backend: GlobusComputeBackend, cluster: Cluster) -> None:
    times = []
    for _ in range(4):
        began = time.monotonic()
        upstream = await backend.open(build_call(cluster.target(), stream=True))
        await upstream.read(5)
        times.append(time.monotonic() - began)
        await upstream.aclose()
    assert min(times) < 0.5


async def test_stopped_reading_stops_the_framework(backend: GlobusComputeBackend, cluster: Cluster) -> None:
    upstream = await backend.open(build_call(cluster.target(model=SLOW), stream=True))
    while b"tick" not in (await upstream.read(1) or b""):
        pass
    await upstream.aclose()
    await upstream.aclose()
    assert await wait_until(lambda: cluster.framework.cut_at) < 2


async def test_cancelled_during_prefill_stops_the_framework(backend: GlobusComputeBackend, cluster: Cluster) -> None:
    opening = asyncio.create_task(backend.open(build_call(cluster.target(model=SILENT), stream=True)))
    await wait_until(lambda: cluster.framework.bodies)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert await wait_until(lambda: cluster.framework.cut_at) < 2


async def test_deadline_is_a_timeout(ask: Ask) -> None:
    with pytest.raises(UpstreamTimeout):
        await ask(target={"model": SILENT}, timeout_s=0.8)


@pytest.mark.parametrize("function", ["ours", "field"])
async def test_nothing_at_the_port_is_unavailable(ask: Ask, function: str) -> None:
    with pytest.raises(UpstreamUnavailable, match="refused"):
        await ask(function, target={"api_port": 1})


async def test_task_that_raises_is_unavailable(ask: Ask) -> None:
    with pytest.raises(UpstreamUnavailable, match="ZeroDivisionError"):
        await ask("odd", how="raise")


async def test_result_that_is_not_json_names_the_remedy(ask: Ask) -> None:
    with pytest.raises(UpstreamUnavailable, match=r"3\.6 or newer"):
        await ask("odd", how="text")


async def test_without_service_account_everything_is_unavailable(gateway: Gateway, cluster: Cluster) -> None:
    backend = await gateway.start_backend(client_id="", client_secret="")
    assert backend.state(cluster.target()) is ModelState.HOT
    with pytest.raises(UpstreamUnavailable, match="SERVICE_ACCOUNT_ID"):
        await backend.open(build_call(cluster.target()))
