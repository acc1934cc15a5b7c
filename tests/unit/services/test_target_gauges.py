"""The targets' metrics: what the process saw of them, with labels of the catalogue alone."""

import asyncio
from typing import Any

import pytest

from resource_server.backends.base import UpstreamUnavailable
from resource_server.domain.catalogue import FederatedRow, Snapshot, build_snapshot
from resource_server.domain.errors import BackendError
from resource_server.services.target_gauges import TargetCollector
from resource_server.status.board import Board
from resource_server.telemetry.kinds import Gauge
from resource_server.telemetry.series import MODEL_STATE, TARGET_EJECTED, TARGET_QUEUE_LENGTH, TARGET_REQUESTS
from tests.unit.services.fakes import MODEL, FakeUpstream, FixedCatalogue, World, target


class Ready(FixedCatalogue):
    """A catalogue that has been read."""

    def is_ready(self) -> bool:
        return True


class Unread(FixedCatalogue):
    """A catalogue that has not."""

    def is_ready(self) -> bool:
        return False


def build_collector(world: World, catalogue: FixedCatalogue) -> TargetCollector:
    return TargetCollector(catalogue, world.routing, Board(), lambda: 0.0)


def snapshot_of(*clusters: str) -> Snapshot:
    return build_snapshot((), (), [FederatedRow("m", MODEL, tuple(target(cluster) for cluster in clusters))])


def read(collector: TargetCollector, gauge: Gauge) -> dict[tuple[str, ...], float]:
    """Amounts by the labels' values."""
    readings = [*collector.read_states(), *collector.read_traffic()]
    found = [(values, amount) for series, values, amount in readings if series is gauge]
    assert len(dict(found)) == len(found)
    return dict(found)


async def test_target_that_fails_in_a_row_shows_as_ejected_and_offline() -> None:
    world = World(a=lambda: UpstreamUnavailable("down"))
    collector = build_collector(world, Ready(snapshot_of("a", "b")))
    key = ("a", "vllm", MODEL)
    assert read(collector, TARGET_EJECTED) == {}
    assert read(collector, MODEL_STATE) == {(*key, "hot"): 1, ("b", "vllm", MODEL, "hot"): 1}
    for _ in range(5):
        with pytest.raises(BackendError):
            await world.ask(stream=False)
    assert read(collector, TARGET_EJECTED) == {key: 1}
    assert read(collector, MODEL_STATE) == {(*key, "offline"): 1, ("b", "vllm", MODEL, "hot"): 1}


async def test_requests_at_a_full_target_and_those_that_wait_are_counted() -> None:
    released = asyncio.Event()

    async def answer() -> FakeUpstream:
        await released.wait()
        return FakeUpstream(b'{"choices": []}', b"", headers={"content-type": "application/json"})

    world = World(a=answer, max_concurrency=1)
    collector = build_collector(world, Ready(snapshot_of("a")))
    asked: list[asyncio.Task[Any]] = [asyncio.create_task(world.ask(stream=False)) for _ in range(3)]
    for _ in range(20):
        await asyncio.sleep(0)  # until all three are where they wait
    assert read(collector, TARGET_QUEUE_LENGTH) == {("a", "vllm", MODEL): 2}
    assert read(collector, TARGET_REQUESTS) == {("a", "vllm", MODEL): 1}
    released.set()
    await asyncio.gather(*asked)
    assert read(collector, TARGET_QUEUE_LENGTH) == {}


def test_labels_are_the_catalogues_and_nothing_shows_without_one() -> None:
    world = World(a=None)
    world.routing.rank(snapshot_of("elsewhere").names(None)[MODEL])
    collector = build_collector(world, Ready(snapshot_of("a")))
    assert read(collector, MODEL_STATE).keys() == {("a", "vllm", MODEL, "hot")}
    unread = build_collector(world, Unread(snapshot_of("a")))
    assert [*unread.read_states(), *unread.read_traffic()] == []
