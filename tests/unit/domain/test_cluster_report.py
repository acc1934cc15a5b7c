"""A status function's words, however malformed, become bounded facts about its own cluster, or nothing."""

import json
from typing import Any

import pytest

from resource_server.domain.cluster_report import MAX_BYTES, MAX_JOBS, MAX_TEXT, ReportInvalid, parse_cluster_report
from resource_server.domain.states import ModelState


def entry(**fields: Any) -> dict[str, Any]:
    names = {"models": "Models", "framework": "Framework", "status": "Model Status", "left": "Walltime Left"}
    base = {"Models": "m1,m2", "Framework": "vllm", "Cluster": "polaris", "Model Status": "hot", "Job ID": "1.pbs"}
    return {**base, **{names.get(name, name): value for name, value in fields.items()}}


def report(kind: str = "running", *entries: dict[str, Any], **more: Any) -> str:
    return json.dumps({kind: list(entries), **more})


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "no JSON object"),
        ("null", "no JSON object"),
        ("{}", "no list of jobs"),
        ('{"running": {}}', "no list of jobs"),
        (report(error="qstat: cannot connect"), "cannot connect"),
        (json.dumps({"running": ["x" * MAX_BYTES]}), "bytes"),
    ],
)
def test_report_that_says_nothing_usable_is_refused(data: str, reason: str) -> None:
    with pytest.raises(ReportInvalid, match=reason):
        parse_cluster_report(data, "polaris")


@pytest.mark.parametrize(
    ("kind", "word", "state"),
    [
        ("running", "hot", ModelState.HOT),
        ("running", "running", ModelState.HOT),
        ("running", "Starting", ModelState.STARTING),
        ("running", "disconnected", ModelState.STARTING),
        ("running", "", ModelState.STARTING),
        ("queued", "hot", ModelState.QUEUED),
        ("others", "hot", ModelState.COLD),
        ("private-batch-queued", "", ModelState.QUEUED),
    ],
)
def test_states_are_those_of_the_house_whatever_the_word(kind: str, word: str, state: ModelState) -> None:
    [job] = parse_cluster_report(report(kind, entry(status=word)), "polaris").jobs
    assert job.state is state
    assert job.fields["Model Status"] == state.value


def test_both_spellings_of_models_are_read() -> None:
    served = entry(models="")
    served["Models Served"] = "a, b ,"
    [job] = parse_cluster_report(report("running", served), "polaris").jobs
    assert job.models == ("a", "b")


def test_what_is_said_of_another_cluster_is_dropped() -> None:
    lies = report("running", entry(Cluster="sophia"), entry(Cluster="polaris"), entry(Cluster=""))
    assert [job.fields["Cluster"] for job in parse_cluster_report(lies, "polaris").jobs] == ["polaris", "polaris"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("01:00:30", 3630),
        ("1-00:00:00", 86400),
        ("100:00:00", 360000),
        ("90", 90),
        ("", None),
        ("soon", None),
        ("-5", None),
    ],
)
def test_walltime_left_is_read_in_the_schedulers_forms(text: str, seconds: float | None) -> None:
    [job] = parse_cluster_report(report("running", entry(left=text)), "polaris").jobs
    assert job.walltime_left_s == seconds


def test_estimated_start_is_utc_unless_it_says_otherwise() -> None:
    times = ["2026-11-26T12:00:00Z", "2026-11-26T12:00:00", "2026-11-26T14:00:00+02:00", "tomorrow"]
    entries = [entry(**{"Estimated Start Time": text}) for text in times]
    jobs = parse_cluster_report(report("queued", *entries), "polaris").jobs
    assert jobs[0].starts_at == jobs[1].starts_at == jobs[2].starts_at
    assert jobs[3].starts_at is None


@pytest.mark.parametrize(
    ("free", "expected"), [(4, 4), (0, 0), (-1, None), (True, None), ("4", None), (None, None), (10**12, 1_000_000)]
)
def test_free_nodes_are_a_count_or_unknown(free: object, expected: int | None) -> None:
    found = parse_cluster_report(report("running", cluster_status={"free_nodes": free}), "polaris")
    assert found.free_nodes == expected


def test_texts_are_short_printable_and_of_known_names() -> None:
    wild = entry(**{"Job Comments": "a\x00\x1b[31m\n" + "b" * 1000, "Host Name": ["x"], "evil": "<script>"})
    [job] = parse_cluster_report(report("running", wild, 7, None), "polaris").jobs  # type: ignore[arg-type]
    assert job.fields["Job Comments"].startswith("a[31mb")
    assert len(job.fields["Job Comments"]) <= MAX_TEXT
    assert job.fields["Host Name"] == ""
    assert "evil" not in job.fields


def test_jobs_beyond_the_cap_are_left_out() -> None:
    tiny = json.dumps({"running": [{}] * (MAX_JOBS + 5), "queued": [{}]})
    assert len(parse_cluster_report(tiny, "polaris").jobs) == MAX_JOBS


def test_batches_are_known_by_their_list_or_their_id() -> None:
    kinds = {"private-batch-running": [entry()], "running": [entry(**{"Batch ID": "b1"}), entry()]}
    assert [job.is_batch for job in parse_cluster_report(json.dumps(kinds), "polaris").jobs] == [True, False, True]
