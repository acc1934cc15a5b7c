"""Requests go straight to the node that serves, if the row lists it and it answers; else through Globus Compute."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from resource_server.backends.base import Call, UpstreamUnavailable
from resource_server.backends.direct import backend as module
from resource_server.backends.direct.backend import DirectBackend
from resource_server.backends.direct.paths import EXPLORE, Paths, Way
from resource_server.backends.openai_http import OpenAIHTTPBackend, build_session
from resource_server.domain.operations import Operation
from resource_server.domain.states import ModelState
from resource_server.domain.targets import GlobusComputeTarget, Target, TargetInvalid, parse_target
from tests.integration.openai_http.upstreams import Connection, Framework, serve
from tests.unit.services.fakes import FakeUpstream

ANSWER = b'{"choices": []}'


class Compute:
    """The way through Globus Compute, always open."""

    starts_models = True

    def __init__(self) -> None:
        self.calls = 0

    async def open(self, call: Call) -> FakeUpstream:  # noqa: ARG002 - the protocol's signature
        self.calls += 1
        return FakeUpstream(b'{"by": "globus"}', b"", headers={"content-type": "application/json"})

    def state(self, target: Target) -> ModelState:  # noqa: ARG002 - the protocol's signature
        return ModelState.HOT

    async def aclose(self) -> None:
        """Nothing to release."""


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with build_session(connect_timeout_s=1.0) as session:
        yield session


def build_target(framework: Framework | None = None, **fields: Any) -> GlobusComputeTarget:
    port = int(framework.base_url.split(":")[2].split("/")[0]) if framework is not None else 1
    found = parse_target(
        {
            "cluster": "polaris",
            "framework": "vllm",
            "model": "m",
            "endpoint_uuid": str(uuid.uuid4()),
            "function_uuid": str(uuid.uuid4()),
            "direct_hosts": ["127.0.0.1"],
            "direct_port": port,
            **fields,
        }
    )
    assert isinstance(found, GlobusComputeTarget)
    return found


def build_call(target: Target) -> Call:
    return Call("req_1", target, Operation.CHAT_COMPLETIONS, b'{"model":"m"}', stream=False, deadline=1e9)


async def answer(connection: Connection) -> None:
    while True:
        await connection.receive()
        await connection.answer(ANSWER, "content-type: application/json")


async def refuse(connection: Connection) -> None:
    while True:
        await connection.receive()
        await connection.answer(b"{}", status="503 Service Unavailable")


async def ask(backend: DirectBackend, target: Target) -> str:
    """How the answer came."""
    upstream = await backend.open(build_call(target))
    while await upstream.read(1.0):
        pass
    await upstream.aclose()
    return upstream.headers.get("x-gateway-path", "globus")


def build(session: aiohttp.ClientSession, host: str | None = "127.0.0.1") -> tuple[DirectBackend, Compute]:
    compute = Compute()
    return DirectBackend(compute, OpenAIHTTPBackend(session, {}), lambda _target: host), compute


async def test_node_that_answers_is_asked_directly(session: aiohttp.ClientSession) -> None:
    async with serve(answer) as framework:
        backend, _ = build(session)
        assert await ask(backend, build_target(framework)) == "direct"
        assert framework.bodies == [b'{"model":"m"}']


@pytest.mark.parametrize("host", [None, "", "localhost", "evil.example.com", "127.0.0.1:80", "127.0.0.1\n"])
async def test_host_that_the_row_does_not_list_is_never_contacted(
    session: aiohttp.ClientSession, host: str | None
) -> None:
    async with serve(answer) as framework:
        backend, compute = build(session, host)
        assert await ask(backend, build_target(framework)) == "globus"
        assert (framework.connections, compute.calls) == (0, 1)


async def test_row_without_hosts_goes_through_globus(session: aiohttp.ClientSession) -> None:
    async with serve(answer) as framework:
        backend, _ = build(session)
        assert await ask(backend, build_target(framework, direct_hosts=[])) == "globus"
        assert framework.connections == 0


async def test_node_that_refuses_falls_back_within_the_same_request(session: aiohttp.ClientSession) -> None:
    async with serve(refuse) as framework:
        backend, compute = build(session)
        target = build_target(framework)
        assert [await ask(backend, target) for _ in range(20)] == ["globus"] * 20
        assert compute.calls == 20
        assert len(framework.bodies) <= 6


async def test_node_that_is_not_there_falls_back(session: aiohttp.ClientSession) -> None:
    backend, compute = build(session)
    assert await ask(backend, build_target()) == "globus"
    assert compute.calls == 1


async def test_both_failing_is_what_globus_says(
    session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Compute):
        async def open(self, call: Call) -> FakeUpstream:  # noqa: ARG002 - the protocol's signature
            raise UpstreamUnavailable("offline")

    monkeypatch.setattr(module.logger, "disabled", True)
    backend = DirectBackend(Broken(), OpenAIHTTPBackend(session, {}), lambda _target: "127.0.0.1")
    with pytest.raises(UpstreamUnavailable, match="offline"):
        await ask(backend, build_target())


def test_faster_way_is_taken_and_the_other_now_and_then() -> None:
    draws = iter([1.0, EXPLORE / 2, 1.0])
    paths = Paths(chance=lambda: next(draws))
    paths.note(Way.DIRECT, 0.02)
    paths.note(Way.GLOBUS, 0.5)
    assert [paths.choose() for _ in range(3)] == [Way.DIRECT, Way.GLOBUS, Way.DIRECT]


def test_direct_way_that_fails_is_left_alone_and_tried_again() -> None:
    now = 100.0
    paths = Paths(lambda: now, chance=lambda: 1.0)
    paths.note(Way.GLOBUS, 0.5)
    for _ in range(5):
        assert paths.choose() is Way.DIRECT
        paths.note_failure()
    assert paths.choose() is Way.GLOBUS
    now += 60
    assert paths.choose() is Way.DIRECT


@pytest.mark.parametrize("hosts", [["*"], ["http://a.b"], ["10.0.0.*"]])
def test_row_that_lists_everything_is_refused_by_name(hosts: list[str]) -> None:
    with pytest.raises(TargetInvalid, match="direct_hosts"):
        build_target(direct_hosts=hosts)
