"""Tasks through the unmodified Globus Compute SDK, run by the embedded endpoint."""

from collections.abc import Iterator

import pytest
from globus_compute_sdk.errors import TaskExecutionFailed
from globus_sdk import GlobusAPIError

from globus_local.embedded import running
from tests.globus_local.compute_clients import (
    DEADLINE_S,
    ECHO_SOURCE,
    build_client,
    build_executor,
    build_json_client,
    closing_watchers,
    create_endpoint,
    get_task,
    run_one,
    submit_one,
    wait_for_status,
    wait_for_task,
)
from tests.globus_local.conftest import SEED, Local

CRASH_SOURCE = "import os\n\ndef crash():\n    os._exit(3)\n"


@pytest.fixture(scope="module")
def local() -> Iterator[Local]:
    with running() as (_, admin):
        admin.add(**SEED)
        yield Local(admin.base_url, admin)


@pytest.fixture(scope="module")
def endpoint_id(local: Local) -> str:
    found = create_endpoint(local, env={"GREETED": "yes"})
    wait_for_status(build_client(local), found, "online")
    return found


def test_source_function_runs_with_helpers_and_environment(local: Local, endpoint_id: str) -> None:
    client = build_json_client(local)
    function_id = client.register_source_code(ECHO_SOURCE, "echo")
    task = run_one(client, endpoint_id, function_id, "alice", mood="good")
    assert task["status"] == "success"
    assert task["result"] == '11\n{"greeting": "hello alice", "kwargs": {"mood": "good"}, "env": "yes"}'


def test_dill_function_runs_and_its_result_arrives_over_amqp(local: Local, endpoint_id: str) -> None:
    with closing_watchers(), build_executor(build_client(local), endpoint_id) as executor:
        futures = [executor.submit(lambda x: {"twice": 2 * x}, number) for number in range(10)]
        assert [future.result(timeout=DEADLINE_S) for future in futures] == [{"twice": 2 * n} for n in range(10)]


def test_exception_reaches_the_caller_with_the_functions_own_traceback(local: Local, endpoint_id: str) -> None:
    def divide(x: int) -> float:
        return 1 / x

    with closing_watchers(), build_executor(build_client(local), endpoint_id) as executor:
        error = executor.submit(divide, 0).exception(timeout=DEADLINE_S)
    assert isinstance(error, TaskExecutionFailed)
    assert "ZeroDivisionError" in str(error)
    assert "in divide" in str(error)
    assert "worker.py" not in str(error)


def test_function_that_exits_fails_its_task_only(local: Local, endpoint_id: str) -> None:
    client = build_json_client(local)
    function_id = client.register_source_code("import sys\n\ndef leave():\n    sys.exit(1)\n", "leave")
    task = run_one(client, endpoint_id, function_id)
    assert task["status"] == "failed"
    assert "SystemExit" in task["exception"]


def test_crash_of_a_worker_fails_its_task_honestly_and_the_next_one_runs(local: Local, endpoint_id: str) -> None:
    client = build_json_client(local)
    task = run_one(client, endpoint_id, client.register_source_code(CRASH_SOURCE, "crash"))
    assert task["status"] == "failed"
    assert "WorkerLost" in task["exception"]
    echo_id = client.register_source_code(ECHO_SOURCE, "echo")
    assert run_one(client, endpoint_id, echo_id, "again")["status"] == "success"


@pytest.mark.parametrize(("size", "status"), [(10 * 1024 * 1024 - 10, "success"), (10 * 1024 * 1024 + 1, "failed")])
def test_results_above_10_mib_are_refused(local: Local, endpoint_id: str, size: int, status: str) -> None:
    client = build_json_client(local)
    function_id = client.register_source_code("def fill(size):\n    return 'x' * size\n", "fill")
    task = run_one(client, endpoint_id, function_id, size)
    assert task["status"] == status
    assert ("MaxResultSizeExceeded" in task.get("exception", "")) is (status == "failed")


def test_submission_above_10_mib_is_refused(local: Local, endpoint_id: str) -> None:
    client = build_json_client(local)
    function_id = client.register_source_code(ECHO_SOURCE, "echo")
    with pytest.raises(GlobusAPIError) as raised:
        submit_one(client, endpoint_id, function_id, "x" * (10 * 1024 * 1024))
    assert raised.value.http_status == 413


def test_batch_status_knows_own_tasks_and_leaves_unknown_ones_out(local: Local, endpoint_id: str) -> None:
    client = build_json_client(local)
    function_id = client.register_source_code(ECHO_SOURCE, "echo")
    task_id = submit_one(client, endpoint_id, function_id)
    wait_for_task(client, task_id)
    results = client.get_batch_result([task_id, "00000000-0000-0000-0000-000000000000"])
    assert list(results) == [task_id]
    assert results[task_id]["result"]["greeting"] == "hello nobody"


def test_tasks_of_a_group_can_be_reloaded(local: Local, endpoint_id: str) -> None:
    client = build_client(local)
    with closing_watchers():
        with build_executor(client, endpoint_id) as executor:
            [executor.submit(abs, -number).result(timeout=DEADLINE_S) for number in (1, 2)]
            group_id = executor.task_group_id
        with build_executor(client, endpoint_id) as other:
            futures = other.reload_tasks(group_id)
            assert sorted(future.result(timeout=DEADLINE_S) for future in futures) == [1, 2]


def test_ids_come_in_the_order_of_submission(local: Local, endpoint_id: str) -> None:
    client = build_json_client(local)
    function_id = client.register_source_code(ECHO_SOURCE, "echo")
    batch = client.create_batch(result_serializers=["globus_compute_sdk.serialize.JSONData"])
    for number in range(20):
        batch.add(function_id, (str(number),))
    task_ids = client.batch_run(endpoint_id, batch)["tasks"][function_id]
    greetings = [wait_for_task(client, task_id)["result"] for task_id in task_ids]
    assert [f'"hello {number}"' in greeting for number, greeting in enumerate(greetings)] == [True] * 20


def test_function_state_lasts_between_tasks_of_a_worker(local: Local) -> None:
    client = build_json_client(local)
    alone = create_endpoint(local, concurrency=1)
    source = "seen = []\n\ndef count():\n    seen.append(1)\n    return len(seen)\n"
    function_id = client.register_source_code(source, "count")
    assert [run_one(client, alone, function_id)["result"] for _ in range(3)] == ["11\n1", "11\n2", "11\n3"]


def test_tasks_run_at_the_same_time_up_to_the_concurrency(local: Local) -> None:
    client = build_json_client(local)
    pair = create_endpoint(local, concurrency=2)
    source = (
        "import time\n\ndef nap():\n    start = time.time()\n    time.sleep(0.2)\n    return [start, time.time()]\n"
    )
    function_id = client.register_source_code(source, "nap")
    wait_for_status(client, pair, "online")
    batch = client.create_batch(result_serializers=["globus_compute_sdk.serialize.JSONData"])
    for _ in range(4):
        batch.add(function_id)
    task_ids = client.batch_run(pair, batch)["tasks"][function_id]
    spans = [client.fx_serializer.deserialize(wait_for_task(client, task_id)["result"]) for task_id in task_ids]
    at_once = [sum(start <= other < end for other, _ in spans) for start, end in spans]
    assert max(at_once) == 2


def test_task_of_an_endpoint_that_never_came_waits(local: Local) -> None:
    client = build_json_client(local)
    registration = client.register_endpoint("sleeping", None, metadata={})
    function_id = client.register_source_code(ECHO_SOURCE, "echo")
    task = get_task(client, submit_one(client, registration["endpoint_id"], function_id))
    assert task["status"] == "waiting-for-ep"
    assert "completion_t" not in task
