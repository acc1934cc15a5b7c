"""What both status functions do: which jobs they call hot, and what they answer when the scheduler fails."""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from resource_server.domain.states import ModelState
from tests.compute_functions.conftest import Framework
from tests.compute_functions.schedulers import SchedulerCluster, list_standings, read_function
from tests.compute_functions.servers import Exchange

MARKER = "INFO All models started successfully. Listening."
KINDS = {"qstat": "pbsnodes", "squeue": "sinfo"}


@pytest.fixture(params=KINDS)
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> SchedulerCluster:
    cluster = SchedulerCluster(tmp_path, request.param)
    cluster.install_recorded()
    return cluster


def ask_state(cluster: SchedulerCluster, **variables: str) -> str:
    (job,) = cluster.ask(**variables)["running"]
    return str(job["Model Status"])


def test_both_files_share_their_second_part() -> None:
    parts = [re.split(r"# From here to the registration .*|\nif __name__ ==", read_function(name)) for name in KINDS]
    assert [len(part) for part in parts] == [3, 3]
    assert parts[0][1] == parts[1][1]
    assert len(parts[0][1]) > 5000


def test_states_are_those_of_the_gateway(cluster: SchedulerCluster) -> None:
    assert {state for _, state in list_standings(cluster.ask()).values()} <= set(ModelState)


def test_asking_again_changes_nothing(cluster: SchedulerCluster) -> None:
    assert cluster.ask_text() == cluster.ask_text()


@pytest.mark.parametrize("place", ["said", "by-number", "by-id", "scheduler"])
def test_marker_in_the_log_makes_hot(cluster: SchedulerCluster, place: str) -> None:
    job_id = "1.pbs01" if cluster.scheduler == "qstat" else "1"
    written = {"qstat": cluster.folder / "scheduler.log", "squeue": cluster.folder / "slurm-1.out"}
    logs = cluster.folder / "logs"
    logs.mkdir()
    paths = {"said": cluster.folder / "own.log", "by-number": logs / "1.out", "by-id": logs / f"{job_id}.log"}
    log = {**paths, "scheduler": written[cluster.scheduler]}[place]
    cluster.install_job(log_file=str(cluster.folder / "own.log"))
    log.write_text("loading weights\n")
    assert ask_state(cluster, INFERENCE_LOG_DIR=str(logs)) == "starting"
    log.write_text(f"loading weights\n{MARKER}\n")
    assert ask_state(cluster, INFERENCE_LOG_DIR=str(logs)) == "hot"


def test_marker_is_found_across_the_borders_of_reading(cluster: SchedulerCluster) -> None:
    log = cluster.folder / "own.log"
    cluster.install_job(log_file=str(log))
    log.write_text("x" * 1_999_990 + MARKER)
    assert ask_state(cluster) == "hot"


def test_log_is_read_to_a_bound(cluster: SchedulerCluster) -> None:
    log = cluster.folder / "own.log"
    cluster.install_job(log_file=str(log))
    log.write_text("x" * 17_000_000 + MARKER)
    assert ask_state(cluster) == "starting"


def test_log_that_is_no_file_is_no_sign(cluster: SchedulerCluster) -> None:
    os.mkfifo(cluster.folder / "own.log")
    cluster.install_job(log_file=str(cluster.folder / "own.log"))
    assert ask_state(cluster, INFERENCE_LOG_DIR=str(cluster.folder)) == "starting"
    cluster.install_job(log_file=str(cluster.folder))
    assert ask_state(cluster) == "starting"


def test_health_of_the_framework_makes_hot(cluster: SchedulerCluster, framework: Framework) -> None:
    asked: list[str] = []

    def answer(exchange: Exchange) -> None:
        asked.append(f"{exchange.handler.command} {exchange.handler.path}")
        exchange.reply(200, b"")

    port = str(framework(answer).port)
    cluster.install_job()
    assert ask_state(cluster, INFERENCE_API_PORT=port) == "starting"
    assert asked == []  # the check is off in these tests unless they say otherwise
    assert ask_state(cluster, INFERENCE_API_PORT=port, INFERENCE_HEALTH_CHECK="on") == "hot"
    assert asked == ["GET /health"]


def test_job_says_its_port_itself(cluster: SchedulerCluster, framework: Framework) -> None:
    cluster.install_job(api_port=str(framework(lambda exchange: exchange.reply(200)).port))
    assert ask_state(cluster, INFERENCE_API_PORT="1", INFERENCE_HEALTH_CHECK="on") == "hot"


@pytest.mark.parametrize("port", ["", "0", "65536", "x", "-1", "80/../x", "1"])
def test_port_where_nothing_answers_is_no_sign(cluster: SchedulerCluster, framework: Framework, port: str) -> None:
    good = framework(lambda exchange: exchange.reply(200)).port
    cluster.install_job(api_port=f"{good},{port}")
    assert ask_state(cluster, INFERENCE_HEALTH_CHECK="on") == "starting"


def answer_unavailable(exchange: Exchange) -> None:
    exchange.reply(503)


def answer_elsewhere(exchange: Exchange) -> None:
    exchange.reply(302, b"", location="/other")


def answer_nonsense(exchange: Exchange) -> None:
    exchange.write(b"SSH-2.0-OpenSSH\r\n")
    exchange.break_off()


@pytest.mark.parametrize("answer", [answer_unavailable, answer_elsewhere, answer_nonsense, Exchange.break_off])
def test_framework_that_is_not_well_is_starting(
    cluster: SchedulerCluster, framework: Framework, answer: Callable[[Exchange], None]
) -> None:
    cluster.install_job(api_port=str(framework(answer).port))
    assert ask_state(cluster, INFERENCE_HEALTH_CHECK="on") == "starting"


def test_batches_have_no_health(cluster: SchedulerCluster, framework: Framework) -> None:
    cluster.install_job(api_port=str(framework(lambda exchange: exchange.reply(200)).port), batch_id="batch_1")
    assert cluster.ask(INFERENCE_HEALTH_CHECK="on")["private-batch-running"][0]["Model Status"] == "starting"


def test_silent_frameworks_are_waited_for_together(cluster: SchedulerCluster, framework: Framework) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.wait_for_leaving(20)

    cluster.install_job(count=400, api_port=str(framework(answer).port))
    began = time.monotonic()
    document = cluster.ask(INFERENCE_HEALTH_CHECK="on")
    assert time.monotonic() - began < 30  # one by one it would be 800 s
    assert {job["Model Status"] for job in document["running"]} == {"starting"}
    assert len(document["running"]) == 400


def test_framework_that_answers_by_drops_is_given_up(cluster: SchedulerCluster, framework: Framework) -> None:
    def answer(exchange: Exchange) -> None:
        for _ in range(400):  # each drop comes in time, the answer never does
            exchange.write(b"H")
            time.sleep(0.1)

    cluster.install_job(api_port=str(framework(answer).port))
    began = time.monotonic()
    assert ask_state(cluster, INFERENCE_HEALTH_CHECK="on") == "starting"
    assert time.monotonic() - began < 30


def test_slow_frameworks_are_asked_side_by_side(cluster: SchedulerCluster, framework: Framework) -> None:
    def answer(exchange: Exchange) -> None:
        time.sleep(0.5)
        exchange.reply(200)

    cluster.install_job(count=60, api_port=str(framework(answer).port))
    states = [job["Model Status"] for job in cluster.ask(INFERENCE_HEALTH_CHECK="on")["running"]]
    assert states == ["hot"] * 60  # one by one, most would not have had their turn


def test_many_jobs_are_cut_at_a_bound_and_counted(cluster: SchedulerCluster) -> None:
    cluster.install_job(count=3000, models=",".join(f"organisation/{'m' * 60}-{number}" for number in range(90)))
    document = cluster.ask()
    assert 0 < len(document["running"]) <= 500
    assert len(document["running"]) + document["left_out"] == 3000
    assert document["running"][0]["Models"].count(",") == 49


@pytest.mark.parametrize("printed", ["garbage", "[]", "{}", "\0\x7f\n", "[" * 100_000, '{"Jobs": 5}', "<html></html>"])
def test_garbage_is_an_error_and_no_accident(cluster: SchedulerCluster, printed: str) -> None:
    cluster.install(cluster.scheduler, printed)
    document = cluster.ask()
    assert document["error"]
    assert list_standings(document) == {}
    assert document["cluster_status"] == {"free_nodes": 3}


def test_bytes_that_are_no_text_are_garbage(cluster: SchedulerCluster) -> None:
    cluster.install(cluster.scheduler, "", first="head -c 3000000 /dev/urandom; exit 0")
    assert cluster.ask()["error"]


def test_endless_answer_is_given_up(cluster: SchedulerCluster) -> None:
    cluster.install(cluster.scheduler, "", first="cat /dev/zero")
    assert "larger" in cluster.ask()["error"]


def test_failing_scheduler_says_why(cluster: SchedulerCluster) -> None:
    cluster.install(cluster.scheduler, "", first="echo 'cannot connect to server' >&2", status=111)
    document = cluster.ask()
    assert document["error"] == f"{cluster.scheduler} failed with status 111: cannot connect to server"
    assert document["cluster_status"] == {"free_nodes": 3}


def test_scheduler_that_is_not_there_is_an_error(cluster: SchedulerCluster) -> None:
    document = cluster.ask(PATH="/nowhere")
    assert document["error"].startswith(f"{cluster.scheduler} cannot be run")
    assert document["cluster_status"]["free_nodes"] is None
    assert document["cluster_status"]["error"].startswith(f"{KINDS[cluster.scheduler]} cannot be run")


def test_unknown_nodes_leave_the_jobs_known(cluster: SchedulerCluster) -> None:
    expected = cluster.ask()
    cluster.install(KINDS[cluster.scheduler], "garbage")
    document = cluster.ask()
    assert document["cluster_status"].pop("error")
    assert document == {**expected, "cluster_status": {"free_nodes": None}}


def test_hung_scheduler_is_given_up_and_ended(cluster: SchedulerCluster) -> None:
    pid_file = cluster.folder / "pid"
    cluster.install(cluster.scheduler, "", first=f'sleep 600 & echo $! > "{pid_file}"; wait')
    began = time.monotonic()
    document = cluster.ask(INFERENCE_SCHEDULER_TIMEOUT_S="1")
    assert time.monotonic() - began < 20
    assert document["error"] == f"{cluster.scheduler} did not answer within 1 s"
    assert is_ended(int(pid_file.read_text()))


def is_ended(pid: int) -> bool:
    """Whether a process is gone; one that nobody has taken the status of counts as such."""
    status = Path(f"/proc/{pid}/stat")
    give_up_at = time.monotonic() + 10
    while status.exists() and status.read_text().rpartition(")")[2].split()[0] not in "ZX":
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("configured", ["", "x", "0", "-5", "1e9"])
def test_odd_timeout_is_the_default(cluster: SchedulerCluster, configured: str) -> None:
    assert "error" not in cluster.ask(INFERENCE_SCHEDULER_TIMEOUT_S=configured)
