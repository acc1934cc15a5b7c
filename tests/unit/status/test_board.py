"""What reports make of each target, and how the board travels between processes."""

import json
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from resource_server.domain.catalogue import ClusterRow, Place
from resource_server.domain.cluster_report import ReportInvalid
from resource_server.domain.standing import Standing
from resource_server.domain.states import ModelState
from resource_server.domain.targets import parse_target
from resource_server.status.board import STALE_S, Board

NOW = 1_800_000_000.0


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


def place(model: str = "m", cluster: str = "polaris", framework: str = "vllm") -> Place:
    target = parse_target({"backend": "simulated", "cluster": cluster, "framework": framework, "model": model})
    return Place(target, ClusterRow(cluster), ())


def job(status: str, models: str = "m", **fields: Any) -> dict[str, Any]:
    return {"Models": models, "Framework": "vllm", "Cluster": "polaris", "Model Status": status, **fields}


def say(*running: dict[str, Any], queued: tuple[dict[str, Any], ...] = (), free: int = 3) -> str:
    return json.dumps({"running": running, "queued": queued, "cluster_status": {"free_nodes": free}})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def board(clock: Clock) -> Board:
    return Board(clock)


def standing(board: Board, where: Place | None = None, backend: ModelState = ModelState.HOT) -> Standing:
    return board.standing(where or place(), backend)


def test_without_a_report_the_backends_word_holds(board: Board) -> None:
    assert standing(board) == Standing(ModelState.HOT)
    assert standing(board, backend=ModelState.OFFLINE) == Standing(ModelState.OFFLINE)


def test_endpoint_that_is_offline_is_so_whatever_the_report_says(board: Board) -> None:
    board.note("polaris", say(job("hot")), NOW)
    assert standing(board, backend=ModelState.OFFLINE).state is ModelState.OFFLINE


def test_hot_job_serves_until_its_walltime_ends(board: Board, clock: Clock) -> None:
    board.note("polaris", say(job("hot", **{"Walltime Left": "00:10:00"})), NOW)
    clock.now += 60
    assert standing(board) == Standing(ModelState.HOT, NOW, None, 3, 540.0)


def test_no_job_is_cold_and_says_how_many_nodes_are_free(board: Board) -> None:
    board.note("polaris", say(job("hot", models="other")), NOW)
    assert standing(board) == Standing(ModelState.COLD, NOW, None, 3)


def test_jobs_of_another_framework_and_batches_serve_nobody(board: Board) -> None:
    other = {**job("hot"), "Framework": "sglang"}
    board.note("polaris", say(other, job("hot", **{"Batch ID": "b1"})), NOW)
    assert standing(board).state is ModelState.COLD
    assert standing(board, place(framework="sglang")).state is ModelState.HOT


def test_best_of_several_jobs_counts(board: Board) -> None:
    board.note("polaris", say(job("starting"), job("hot"), queued=(job("queued"),)), NOW)
    assert standing(board).state is ModelState.HOT


def test_stale_report_says_nothing_of_now(board: Board, clock: Clock) -> None:
    board.note("polaris", say(), NOW)
    clock.now += STALE_S
    assert standing(board).state is ModelState.COLD
    clock.now += 1
    assert standing(board) == Standing(ModelState.HOT)


def test_start_is_expected_to_last_as_long_as_those_before(board: Board, clock: Clock) -> None:
    for _ in range(2):
        board.note("polaris", say(job("starting")), clock.now)
        clock.now += 200
        board.note("polaris", say(job("hot")), clock.now)
        board.note("polaris", say(), clock.now)
    assert standing(board).eta_s == 200
    board.note("polaris", say(job("starting")), clock.now)
    clock.now += 50
    assert standing(board).state is ModelState.STARTING
    assert standing(board).eta_s == 150


def test_queued_job_is_expected_at_the_schedulers_time_and_its_start(board: Board, clock: Clock) -> None:
    board.note("polaris", say(job("starting")), NOW)
    board.note("polaris", say(job("hot")), NOW + 100)
    clock.now = NOW + 100
    at = datetime.fromtimestamp(NOW + 400, UTC).isoformat()
    board.note("polaris", say(queued=(job("", **{"Estimated Start Time": at}),)), clock.now)
    assert standing(board) == Standing(ModelState.QUEUED, NOW + 100, 400.0, 3)


@pytest.mark.parametrize("garbage", ["", "[]", '{"error": "x"}', '{"running": 1}', "x" * 2_000_000])
def test_malformed_report_changes_nothing(board: Board, garbage: str) -> None:
    board.note("polaris", say(job("hot")), NOW)
    before = standing(board)
    with pytest.raises(ReportInvalid):
        board.note("polaris", garbage, NOW + 60)
    assert standing(board) == before


def test_lying_report_changes_its_own_cluster_only(board: Board) -> None:
    board.note("sophia", say(), NOW)
    board.note("polaris", say({**job("hot"), "Cluster": "sophia"}), NOW)
    assert standing(board, place(cluster="sophia")).state is ModelState.COLD


def test_board_travels_to_another_process(board: Board, clock: Clock) -> None:
    board.note("polaris", say(job("starting")), NOW)
    board.note("polaris", say(job("hot")), NOW + 80)
    other = Board(clock)
    [cluster] = other.read_index(board.encode_index())
    found = board.find(cluster)
    assert found is not None
    other.restore(cluster, found.raw, found.as_of)
    assert standing(other) == standing(board)
    assert other.durations.find(("polaris", "vllm", "m")) == 80
    assert other.read_index(board.encode_index()) == []


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"[]",
        b'{"reports": 1, "durations": {"a": 1}}',
        b'{"reports": {"polaris": "now"}, "durations": [[1, 2], ["a", "b", "c", -5, null], "x"]}',
    ],
)
def test_malformed_index_is_passed_over(board: Board, garbage: bytes) -> None:
    assert board.read_index(garbage) == []
    assert board.durations.find(("a", "b", "c")) is None


def test_older_news_do_not_replace_newer(board: Board) -> None:
    board.note("polaris", say(job("hot")), NOW)
    board.restore("polaris", say(), NOW - 10)
    assert standing(board).state is ModelState.HOT
    assert board.read_index(orjson.dumps({"reports": {"polaris": NOW - 10}})) == []
