"""Which job of a report counts for a model."""

import orjson
import pytest

from resource_server.domain.cluster_report import parse_cluster_report
from resource_server.status.board import Sighting


def sight(**lists: list[dict[str, str]]) -> Sighting:
    raw = orjson.dumps({"running": [], **lists}).decode()
    return Sighting(raw, parse_cluster_report(raw, "c"), 0.0)


def job(
    number: int, status: str = "running", models: str = "m", framework: str = "vllm", **more: str
) -> dict[str, str]:
    named = {name.replace("_", " "): text for name, text in more.items()}
    return {"Job ID": str(number), "Models": models, "Framework": framework, "Model Status": status, **named}


@pytest.mark.parametrize(
    ("lists", "best"),
    [
        ({"running": [job(1, "starting"), job(2), job(3)]}, "2"),
        ({"queued": [job(1)], "running": [job(2, "starting")]}, "2"),
        ({"queued": [job(1, Estimated_Start_Time="2030-01-02"), job(2, Estimated_Start_Time="2030-01-01")]}, "2"),
        ({"running": [job(1, models="a, m, b")]}, "1"),
        ({"running": [job(1, "starting"), job(2, framework="")]}, "2"),
        ({"running": [job(1), job(2, "starting", framework="")]}, "1"),
        ({"running": [job(1, framework="")]}, "1"),
        ({"running": [job(1, framework="other"), job(2, models="mm")]}, None),
        ({"running": [job(1, Batch_ID="b")], "private-batch-running": [job(2)], "others": [job(3)]}, None),
    ],
)
def test_best_job_is_the_one_that_serves_the_model_soonest(
    lists: dict[str, list[dict[str, str]]], best: str | None
) -> None:
    found = sight(**lists).find_best("vllm", "m")
    assert (found.fields["Job ID"] if found is not None else None) == best


@pytest.mark.parametrize("spelling", ["Models", "Models Served"])
def test_job_of_many_models_serves_the_last_of_them_too(spelling: str) -> None:
    models = ",".join([*(f"organisation/a-model-with-a-long-name-{number}" for number in range(20)), "m"])
    entry = job(1)
    del entry["Models"]
    assert sight(running=[{**entry, spelling: models}]).find_best("vllm", "m") is not None
