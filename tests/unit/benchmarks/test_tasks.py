import json

import pytest

from benchmarks.tasks.plan import FUNCTION, TaskPlan, decode_task_plan, summarise


def _build_plan(rate_per_s: float = 5, seconds: float = 3) -> TaskPlan:
    return TaskPlan("http://127.0.0.1:1", "id", "secret", ["endpoint"], "function", rate_per_s, seconds)


def test_decode_task_plan_inverts_encode() -> None:
    plan = _build_plan()

    assert decode_task_plan(plan.encode()) == plan


@pytest.mark.parametrize(("rate_per_s", "seconds", "tasks"), [(5, 3, 15), (0.5, 3, 2), (0.1, 1, 1)])
def test_task_plan_counts_its_tasks(rate_per_s: float, seconds: float, tasks: int) -> None:
    assert _build_plan(rate_per_s, seconds).tasks == tasks


def test_summarise_counts_what_did_not_come_back() -> None:
    assert summarise(4, [0.3, 0.1, 0.2]) == {"requests": 4, "failures": 1, "p50_ms": 200.0, "p95_ms": 300.0}


def test_summarise_of_nothing_has_no_latency() -> None:
    assert summarise(2, []) == {"requests": 2, "failures": 2}


def test_function_answers_json_text_as_functions_in_the_field_do() -> None:
    names: dict[str, object] = {}
    exec(FUNCTION, names)  # noqa: S102 - the source that is registered
    answer = names["answer"]

    assert callable(answer)
    assert json.loads(answer({"model_params": {}}))["object"] == "chat.completion"
