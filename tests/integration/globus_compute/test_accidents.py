"""What goes wrong between the gateway and a cluster: nothing is lost, answered twice, or waited for in vain."""

import asyncio
import json
import time
from typing import Any

import pytest

from resource_server.backends.base import UpstreamBroken, UpstreamUnavailable
from resource_server.backends.globus_compute.backend import GlobusComputeBackend
from resource_server.domain.states import ModelState
from tests.framework import CHAT, STALLING, TRUNCATED, WORDS
from tests.integration.globus_compute.conftest import Ask, Cluster, Gateway, build_call, read_all, wait_until

SENTENCE = "".join(WORDS)


def content(answer: tuple[Any, ...]) -> str:
    return str(json.loads(answer[2])["choices"][0]["message"]["content"])


async def test_dropped_result_does_not_matter_to_a_relayed_answer(ask: Ask, cluster: Cluster) -> None:
    await cluster.arrange("set_compute_faults", drop_results=-1)
    assert content(await ask()) == SENTENCE


async def test_result_whose_message_is_lost_is_asked_for(gateway: Gateway, cluster: Cluster) -> None:
    backend = await gateway.start_backend(overdue_after_s=0.3)
    await cluster.arrange("set_compute_faults", drop_results=-1)
    upstream = await backend.open(build_call(cluster.target("field")))
    assert SENTENCE in (await read_all(upstream)).decode()
    await upstream.aclose()


async def test_duplicate_results_are_harmless(ask: Ask, cluster: Cluster) -> None:
    await cluster.arrange("set_compute_faults", duplicate_results=-1)
    assert [content(await ask(function)) for function in ("field", "ours", "field")] == [SENTENCE] * 3


async def test_late_results_are_waited_for(ask: Ask, cluster: Cluster) -> None:
    await cluster.arrange("set_compute_faults", delay_results_s=0.6)
    began = time.monotonic()
    assert content(await ask()) == SENTENCE
    relayed_s = time.monotonic() - began
    assert content(await ask("field")) == SENTENCE
    assert time.monotonic() - began - relayed_s > 0.6 > relayed_s


async def test_broker_restart_loses_nothing(gateway: Gateway, cluster: Cluster) -> None:
    backend = await gateway.start_backend(overdue_after_s=1.0)

    async def one(number: int) -> str:
        upstream = await backend.open(build_call(cluster.target("field", model=f"m{number}", max_concurrency=99)))
        try:
            return str(json.loads(await read_all(upstream))["model"])
        finally:
            await upstream.aclose()

    running = [asyncio.create_task(one(number)) for number in range(10)]
    await asyncio.sleep(0.1)
    await cluster.arrange("restart_broker", down_s=0.3)
    running += [asyncio.create_task(one(number)) for number in range(10, 20)]
    assert await asyncio.gather(*running) == [f"m{number}" for number in range(20)]
    await cluster.arrange("drop_connections")
    assert await one(20) == "m20"


async def test_refused_submission_fails_its_own_tasks_alone(ask: Ask, cluster: Cluster) -> None:
    assert content(await ask()) == SENTENCE
    await cluster.arrange("set_compute_faults", refuse_submits=1)
    with pytest.raises(UpstreamUnavailable, match="503"):
        await ask()
    assert content(await ask()) == SENTENCE


async def test_bad_function_fails_alone(ask: Ask, cluster: Cluster) -> None:
    unknown = {"function_uuid": "00000000-0000-4000-8000-00000000dead"}
    good, bad = await asyncio.gather(ask(), ask(target=unknown), return_exceptions=True)
    assert not isinstance(good, BaseException)
    assert content(good) == SENTENCE
    assert isinstance(bad, UpstreamUnavailable)


async def test_too_many_requests_are_sent_again_when_told(ask: Ask, cluster: Cluster) -> None:
    assert content(await ask()) == SENTENCE
    await cluster.arrange(
        "add_fault", service="compute", path_prefix="/v3/endpoints", status=429, retry_after_s=1, remaining=1
    )
    began = time.monotonic()
    assert content(await ask()) == SENTENCE
    assert time.monotonic() - began > 1.0


async def test_documented_rate_is_kept(gateway: Gateway, cluster: Cluster) -> None:
    await cluster.arrange("set_rate_limit", enabled=True)
    backend = await gateway.start_backend(interval_s=0.5)
    await cluster.arrange("clear_ledger")

    async def one() -> float:
        began = time.monotonic()
        upstream = await backend.open(build_call(cluster.target(max_concurrency=99)))
        await read_all(upstream)
        await upstream.aclose()
        return time.monotonic() - began

    running = []
    for _ in range(60):
        running.append(asyncio.create_task(one()))
        await asyncio.sleep(0.05)
    times = sorted(await asyncio.gather(*running))
    calls = [call for call in await cluster.arrange("read_ledger", "compute") if call["method"] == "POST"]
    assert {call["status"] for call in calls} == {200}
    assert len(calls) < 12
    assert times[30] < 1.5


async def test_service_that_is_away_is_unavailable_and_comes_back(ask: Ask, cluster: Cluster) -> None:
    fault = await cluster.arrange("add_fault", "drop", service="compute")
    with pytest.raises(UpstreamUnavailable):
        await ask()
    await cluster.arrange("remove_fault", fault)
    assert content(await ask()) == SENTENCE


async def test_service_that_hangs_is_given_up(gateway: Gateway, cluster: Cluster) -> None:
    backend = await gateway.start_backend(api_timeout_s=0.5)
    await (await backend.open(build_call(cluster.target()))).aclose()
    await cluster.arrange("add_fault", "hang", service="compute")
    began = time.monotonic()
    with pytest.raises(UpstreamUnavailable):
        await backend.open(build_call(cluster.target()))
    assert time.monotonic() - began < 3


async def test_malformed_answer_of_the_service_is_unavailable(ask: Ask, cluster: Cluster) -> None:
    await cluster.arrange(
        "add_fault", "malformed", service="compute", path_prefix="/v3/endpoints", status=200, remaining=1
    )
    with pytest.raises(UpstreamUnavailable):
        await ask()
    assert content(await ask()) == SENTENCE


async def test_revoked_service_token_is_renewed(ask: Ask, cluster: Cluster) -> None:
    assert content(await ask()) == SENTENCE
    await cluster.arrange("revoke_all", "7e570000-0000-4000-8000-00000000c002")
    assert content(await ask()) == SENTENCE


async def test_offline_endpoint_is_refused_at_once_until_it_is_back(gateway: Gateway, cluster: Cluster) -> None:
    backend = await gateway.start_backend(status_interval_s=0.3)
    target = cluster.target()
    await cluster.arrange("set_compute_faults", endpoint_offline=True)
    await wait_until(lambda: backend.state(target) is ModelState.OFFLINE)
    began = time.monotonic()
    with pytest.raises(UpstreamUnavailable, match="offline"):
        await backend.open(build_call(target))
    assert time.monotonic() - began < 0.05
    await cluster.arrange("set_compute_faults", endpoint_offline=False)
    await wait_until(lambda: backend.state(target) is ModelState.HOT)
    await (await backend.open(build_call(target))).aclose()


async def test_truncated_stream_is_broken(backend: GlobusComputeBackend, cluster: Cluster) -> None:
    upstream = await backend.open(build_call(cluster.target(model=TRUNCATED), stream=True))
    with pytest.raises(UpstreamBroken):
        await read_all(upstream)
    await upstream.aclose()


async def test_stalled_framework_is_silence_not_an_end(backend: GlobusComputeBackend, cluster: Cluster) -> None:
    upstream = await backend.open(build_call(cluster.target(model=STALLING), stream=True))
    while (data := await upstream.read(0.5)) is not None:
        assert data
    assert await upstream.read(0.3) is None
    await upstream.aclose()
    await wait_until(lambda: cluster.framework.cut_at)


async def test_lost_worker_breaks_the_answer_soon(gateway: Gateway, cluster: Cluster) -> None:
    backend = await gateway.start_backend()
    with pytest.raises(UpstreamUnavailable):
        await asyncio.wait_for(backend.open(build_call(cluster.target("odd"), how="kill")), 15)
    upstream = await backend.open(build_call(cluster.target(model=CHAT)))
    assert SENTENCE in (await read_all(upstream)).decode()
    await upstream.aclose()
