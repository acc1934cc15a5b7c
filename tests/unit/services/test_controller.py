"""The controller: one asks, all know, and no cluster delays or misleads another."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from resource_server.backends.base import UpstreamTimeout, UpstreamUnavailable
from resource_server.domain.catalogue import ClusterRow, Place
from resource_server.domain.states import ModelState
from resource_server.domain.targets import parse_target
from resource_server.services import controller as module
from resource_server.services.controller import LEAST_INTERVAL_S, SHARE, Controller, find_interval_s
from resource_server.services.database import DatabaseThread
from resource_server.state.memory import MemoryState
from resource_server.status.board import Board
from tests.waiting import wait_until

HOT = json.dumps({"running": [{"Models": "m", "Framework": "vllm", "Model Status": "hot"}]})
Answer = Callable[[], Coroutine[Any, Any, str]]


class Away(DatabaseThread):
    """A database that cannot be asked."""

    def __init__(self) -> None:
        """No thread."""

    async def run(self, unit: Callable[[], Any]) -> Any:  # noqa: ARG002 - the signature of the real one
        raise TimeoutError


class Runner:
    """Runs what the test gives per cluster; the endpoint's UUID is the cluster's name."""

    def __init__(self, **answers: Answer) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def run_function(self, endpoint_uuid: str, function_uuid: str, deadline: float) -> str:
        assert function_uuid == "status"
        assert deadline > time.monotonic()
        self.asked.append(endpoint_uuid)
        return await self.answers[endpoint_uuid]()


def say(text: str, after_s: float = 0.0) -> Answer:
    async def answer() -> str:
        await asyncio.sleep(after_s)
        return text

    return answer


def fail(error: Exception) -> Answer:
    async def answer() -> str:
        raise error

    return answer


def state_on(board: Board, cluster: str) -> ModelState:
    target = parse_target({"backend": "simulated", "cluster": cluster, "framework": "vllm", "model": "m"})
    return board.standing(Place(target, ClusterRow(cluster), ()), ModelState.HOT).state


Start = Callable[..., tuple[Controller, Board]]


@pytest.fixture
async def start(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Start]:
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    tasks: list[asyncio.Task[None]] = []

    def begin(runner: Runner, state: MemoryState, owner: str = "a", **options: Any) -> tuple[Controller, Board]:
        board = Board()
        rows = [ClusterRow(name, status_endpoint_uuid=name, status_function_uuid="status") for name in runner.answers]
        rows.append(ClusterRow("silent"))
        controller = Controller(board, lambda: rows, runner, state, Away(), owner=owner, call_interval_s=0.5, **options)
        tasks.append(asyncio.create_task(controller.run()))
        return controller, board

    yield begin
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_clusters_with_a_status_function_are_asked(start: Start) -> None:
    runner = Runner(polaris=say(HOT), sophia=say('{"running": []}'))
    _, board = start(runner, MemoryState())
    await wait_until(lambda: len(board.sightings) == 2)
    assert (state_on(board, "polaris"), state_on(board, "sophia")) == (ModelState.HOT, ModelState.COLD)
    await asyncio.sleep(0.05)
    assert sorted(runner.asked) == ["polaris", "sophia"]


async def test_slow_failing_and_lying_clusters_change_nothing_elsewhere(start: Start) -> None:
    lie = json.dumps({"running": [{"Models": "m", "Cluster": "polaris", "Model Status": "starting"}]})
    runner = Runner(
        slow=say(HOT, 60),
        broken=fail(UpstreamUnavailable("down")),
        late=fail(UpstreamTimeout("late")),
        garbage=say("x" * 2_000_000),
        liar=say(lie),
        polaris=say(HOT),
    )
    _, board = start(runner, MemoryState())
    await wait_until(lambda: {"polaris", "liar"} <= board.sightings.keys())
    assert board.sightings.keys() == {"polaris", "liar"}
    assert state_on(board, "polaris") is ModelState.HOT


async def test_cluster_that_fails_keeps_what_was_known(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHARE", 1e6)
    runner = Runner(polaris=say(HOT))
    _, board = start(runner, MemoryState(), least_interval_s=0.01)
    await wait_until(lambda: "polaris" in board.sightings)
    runner.answers["polaris"] = fail(UpstreamUnavailable("down"))
    await asyncio.sleep(0.02)
    as_of = board.sightings["polaris"].as_of
    asked = len(runner.asked)
    await wait_until(lambda: len(runner.asked) > asked + 2)
    assert board.sightings["polaris"].as_of == as_of
    assert state_on(board, "polaris") is ModelState.HOT


async def test_one_of_several_asks_and_the_others_read(start: Start) -> None:
    state, first, second = MemoryState(), Runner(polaris=say(HOT)), Runner(polaris=say(HOT))
    start(first, state, "a")
    await wait_until(lambda: bool(first.asked))
    _, board = start(second, state, "b")
    await wait_until(lambda: "polaris" in board.sightings)
    assert not second.asked


async def test_one_that_may_not_ask_reads(start: Start) -> None:
    state, runner = MemoryState(), Runner(polaris=say(HOT))
    start(runner, state, "gateway", asks=False)
    await asyncio.sleep(0.05)
    assert not runner.asked


@pytest.mark.parametrize("clusters", [1, 10, 30, 100, 400])
def test_all_clusters_together_take_a_quarter_of_the_calls(clusters: int) -> None:
    interval_s = find_interval_s(clusters, 0.5)
    assert clusters / interval_s <= SHARE * 2 + 1e-9
    assert interval_s >= LEAST_INTERVAL_S


def test_hundred_clusters_are_known_within_240_s() -> None:
    assert find_interval_s(100, 0.5) + module.LOOK_S < 240
