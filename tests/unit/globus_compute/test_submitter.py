"""Submissions: gathered, paced, split, and without shared fate."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest

from resource_server.backends.base import UpstreamSaturated, UpstreamTimeout, UpstreamUnavailable
from resource_server.backends.globus_compute.pacing import Pacing
from resource_server.backends.globus_compute.service import ComputeError, TaskResult
from resource_server.backends.globus_compute.submitter import Submitter
from resource_server.backends.globus_compute.tasks import Task, Tasks
from resource_server.state.memory import MemoryPacer
from resource_server.telemetry.series import BREAKER_OPEN, SUBMISSION_QUEUE_LENGTH
from tests.unit.globus_compute.fakes import ENDPOINT, FUNCTION, MemoryComputeService, build_settings

Start = Callable[..., Submitter]


@pytest.fixture
def service() -> MemoryComputeService:
    return MemoryComputeService()


@pytest.fixture
def tasks() -> Tasks:
    return Tasks(5)


@pytest.fixture
def groups() -> list[str]:
    return []


@pytest.fixture
async def start(service: MemoryComputeService, tasks: Tasks, groups: list[str]) -> AsyncIterator[Start]:
    started: list[Submitter] = []

    def build(**fields: float) -> Submitter:
        settings = build_settings(**fields)
        pacing = Pacing(MemoryPacer(), "c", settings.interval_s)
        submitter = Submitter(service, pacing, tasks, settings, groups.append)
        submitter.start()
        started.append(submitter)
        return submitter

    yield build
    for submitter in started:
        await submitter.aclose()


async def submit(submitter: Submitter, arguments: str = "a", *, function: str = FUNCTION, wait_s: float = 3) -> Task:
    return await submitter.submit((ENDPOINT, function), arguments, None, time.monotonic() + wait_s)


async def test_first_task_goes_at_once(start: Start, service: MemoryComputeService) -> None:
    submitter = start(interval_s=0.5)
    began = time.monotonic()
    await submit(submitter)
    assert service.submitted_at[0] - began < 0.1


async def test_simultaneous_tasks_travel_together_in_order(
    start: Start, service: MemoryComputeService, groups: list[str]
) -> None:
    submitter = start()
    await submit(submitter)
    done = await asyncio.gather(*(submit(submitter, str(number)) for number in range(20)))
    assert [submission.arguments for submission in service.submissions] == [["a"], [str(n) for n in range(20)]]
    assert len({task.task_id for task in done}) == 20
    assert service.submissions[1].group_id == groups[0]
    assert len(groups) == 1


async def test_turns_are_evenly_spaced_after_a_short_burst(start: Start, service: MemoryComputeService) -> None:
    submitter = start(interval_s=0.1, micro_batch_s=0)

    async def trickle(number: int) -> None:
        await asyncio.sleep(number * 0.02)
        await submit(submitter)

    await asyncio.gather(*map(trickle, range(20)))
    times = [at - service.submitted_at[0] for at in service.submitted_at]
    assert times[1] < 0.1
    assert all(at > 0.1 * (number - 1) - 0.03 for number, at in enumerate(times))
    assert len(times) < 9
    assert sum(len(submission.arguments) for submission in service.submissions) == 20


async def test_large_tasks_are_split_and_late_ones_join(start: Start, service: MemoryComputeService) -> None:
    submitter = start(submission_bytes=100)
    await asyncio.gather(*(submit(submitter, "x" * 40) for _ in range(5)), submit(submitter, "y" * 500))
    sizes = [sorted({argument[0] for argument in submission.arguments}) for submission in service.submissions]
    assert all(
        len("".join(submission.arguments)) <= 100 or len(submission.arguments) == 1
        for submission in service.submissions
    )
    assert sizes[-1] == ["y"]


async def test_refusal_fails_its_own_tasks_alone(start: Start, service: MemoryComputeService) -> None:
    submitter = start()
    await submit(submitter)
    service.errors = [ComputeError("no such function", status=404)]
    outcomes = await asyncio.gather(
        submit(submitter), submit(submitter, function="other"), submit(submitter), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [UpstreamUnavailable, Task, UpstreamUnavailable]
    assert isinstance(await submit(submitter), Task)


async def test_too_many_requests_hold_everybody_and_lose_nobody(start: Start, service: MemoryComputeService) -> None:
    submitter = start()
    await submit(submitter)
    service.errors = [ComputeError("slow down", status=429, retry_after_s=0.3)]
    began = time.monotonic()
    await asyncio.gather(submit(submitter, "b"), submit(submitter, "c"))
    assert service.submitted_at[-1] - began > 0.3
    assert service.submissions[-1].arguments == ["b", "c"]


async def test_lasting_refusal_for_the_pace_ends(start: Start, service: MemoryComputeService) -> None:
    submitter = start()
    service.errors = [ComputeError("slow down", status=429, retry_after_s=0) for _ in range(10)]
    with pytest.raises(UpstreamUnavailable):
        await submit(submitter)
    assert len(service.submissions) == 4


async def test_forgotten_group_is_made_anew(start: Start, service: MemoryComputeService, groups: list[str]) -> None:
    submitter = start()
    await submit(submitter)
    service.errors = [ComputeError("gone", status=404, code="TASK_GROUP_NOT_FOUND")]
    with pytest.raises(UpstreamUnavailable):
        await submit(submitter)
    await submit(submitter)
    assert service.submissions[-1].group_id is None
    assert len(set(groups)) == 2


async def test_simultaneous_first_submissions_make_one_group(
    start: Start, service: MemoryComputeService, groups: list[str]
) -> None:
    submitter = start()
    service.delay_s = 0.05
    await asyncio.gather(submit(submitter), submit(submitter, function="other"), submit(submitter, function="third"))
    assert len(groups) == 1
    assert [submission.group_id for submission in service.submissions] == [None, groups[0], groups[0]]


async def test_full_queue_is_saturated(start: Start, service: MemoryComputeService) -> None:
    submitter = start(max_queued=2, interval_s=0.5)
    for _ in range(2):
        await submit(submitter)
    waiting = [asyncio.create_task(submit(submitter)) for _ in range(2)]
    await asyncio.sleep(0.05)
    with pytest.raises(UpstreamSaturated):
        await submit(submitter)
    await asyncio.gather(*waiting)


async def test_deadline_ends_the_wait(start: Start, service: MemoryComputeService, tasks: Tasks) -> None:
    submitter = start()
    service.delay_s = 0.3
    with pytest.raises(UpstreamTimeout):
        await submit(submitter, wait_s=0.1)
    await asyncio.sleep(0.4)
    assert len(tasks) == 0


async def test_cancelled_before_its_turn_is_never_submitted(start: Start, service: MemoryComputeService) -> None:
    submitter = start(micro_batch_s=0.05)
    waiting = asyncio.create_task(submit(submitter))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.sleep(0.1)
    assert service.submissions == []
    await submit(submitter)


async def test_result_that_overtakes_the_answer_is_not_lost(
    start: Start, service: MemoryComputeService, tasks: Tasks
) -> None:
    service.on_submit = lambda task_ids: tasks.settle(task_ids[0], TaskResult("11\n{}"))
    task = await submit(start())
    assert task.result.done()


async def test_unexpected_failure_of_the_seam_fails_the_batch(
    start: Start, service: MemoryComputeService, caplog: pytest.LogCaptureFixture
) -> None:
    def surprise(_task_ids: object) -> None:
        raise RuntimeError("surprise")

    submitter = start()
    service.on_submit = surprise
    with pytest.raises(UpstreamUnavailable):
        await submit(submitter)
    service.on_submit = lambda _task_ids: None
    assert isinstance(await submit(submitter), Task)
    assert "surprise" in caplog.text


async def test_service_that_is_away_is_not_waited_for(start: Start, service: MemoryComputeService) -> None:
    submitter = start()
    service.errors = [ComputeError("no answer") for _ in range(4)] + [ComputeError("down", status=503)]
    for _ in range(5):
        with pytest.raises(UpstreamUnavailable):
            await submit(submitter)
    service.delay_s = 60
    with pytest.raises(UpstreamUnavailable, match="away"):
        await submit(submitter)
    assert len(service.submissions) == 5


async def test_refusals_that_are_answers_open_no_breaker(start: Start, service: MemoryComputeService) -> None:
    submitter = start()
    service.errors = [ComputeError("no such endpoint", status=404) for _ in range(8)]
    for _ in range(8):
        with pytest.raises(UpstreamUnavailable, match="no such endpoint"):
            await submit(submitter)


async def test_closing_tells_whoever_waits(start: Start) -> None:
    submitter = start(interval_s=5)
    for _ in range(2):
        await submit(submitter)
    waiting = asyncio.create_task(submit(submitter))
    await asyncio.sleep(0.05)
    await submitter.aclose()
    with pytest.raises(UpstreamUnavailable):
        await waiting


async def test_service_that_is_away_and_tasks_that_wait_show_in_the_metrics(
    start: Start, service: MemoryComputeService
) -> None:
    waited = SUBMISSION_QUEUE_LENGTH.children[()]
    submitter = start(interval_s=0.01)
    service.errors = [ComputeError("down", status=503) for _ in range(5)]
    for _ in range(5):
        with pytest.raises(UpstreamUnavailable):
            await submit(submitter)
    assert BREAKER_OPEN.copy()["globus_compute",] == 1
    assert SUBMISSION_QUEUE_LENGTH.children[()] == waited
    healthy = start(interval_s=0.5, micro_batch_s=0.2)
    asked = [asyncio.create_task(submit(healthy)) for _ in range(3)]
    await asyncio.sleep(0)
    assert SUBMISSION_QUEUE_LENGTH.children[()] == waited + 3
    await asyncio.gather(*asked)
    assert SUBMISSION_QUEUE_LENGTH.children[()] == waited
    assert BREAKER_OPEN.copy()["globus_compute",] == 0
