"""The tasks under way: early, late, twice, overdue."""

from resource_server.backends.globus_compute.service import TaskResult
from resource_server.backends.globus_compute.tasks import EARLY_RESULTS, Tasks

FIRST, SECOND = TaskResult("11\n1"), TaskResult("11\n2")


async def test_first_result_counts() -> None:
    tasks = Tasks(5)
    task = tasks.add("a", None)
    tasks.settle("a", FIRST)
    tasks.settle("a", SECOND)
    assert task.result.result() is FIRST


async def test_result_that_overtakes_its_submission_is_kept() -> None:
    tasks = Tasks(5)
    with tasks.expecting():
        tasks.settle("a", FIRST)
        assert tasks.add("a", None).result.result() is FIRST
        tasks.settle("b", FIRST)
    assert not tasks.add("b", None).result.done()


async def test_early_results_are_bounded() -> None:
    tasks = Tasks(5)
    with tasks.expecting():
        for number in range(EARLY_RESULTS + 1):
            tasks.settle(str(number), FIRST)
        assert not tasks.add("0", None).result.done()
        assert tasks.add("1", None).result.done()


async def test_unknown_result_is_dropped() -> None:
    tasks = Tasks(5)
    tasks.settle("a", FIRST)
    assert not tasks.add("a", None).result.done()


async def test_forgotten_task_leaves_nothing() -> None:
    tasks = Tasks(5)
    task = tasks.add("a", None)
    tasks.forget(task)
    tasks.forget(task)
    tasks.settle("a", FIRST)
    assert len(tasks) == 0
    assert task.result.cancelled()


async def test_overdue_task_is_asked_for_with_growing_pauses() -> None:
    now = [0.0]
    tasks = Tasks(5.0, lambda: now[0])
    tasks.add("a", None)
    tasks.settle("b", FIRST)

    def is_asked_for(at: float) -> bool:
        now[0] = at
        return tasks.take_overdue(10) == ["a"]

    assert [at for at in range(30) if is_asked_for(at)] == [5, 10, 20]
    tasks.check_soon()
    assert tasks.take_overdue(10) == ["a"]


async def test_settled_task_is_not_asked_for() -> None:
    tasks = Tasks(0)
    tasks.add("a", None)
    tasks.add("b", None)
    tasks.settle("a", FIRST)
    assert tasks.take_overdue(1) == ["b"]
