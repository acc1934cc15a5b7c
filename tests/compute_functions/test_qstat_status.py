"""What the status function of a PBS cluster makes of what PBS prints."""

import json
import os
import pwd
from pathlib import Path

import pytest

from tests.compute_functions.schedulers import RECORDED, SchedulerCluster, list_standings


@pytest.fixture
def pbs(tmp_path: Path) -> SchedulerCluster:
    cluster = SchedulerCluster(tmp_path, "qstat")
    cluster.install_recorded()
    return cluster


def test_every_state_has_its_section(pbs: SchedulerCluster) -> None:
    assert list_standings(pbs.ask()) == {
        "1001.pbs01": ("running", "starting"),  # R
        "1002.pbs01": ("queued", "queued"),  # Q
        "1003.pbs01": ("others", "cold"),  # H
        "1004.pbs01": ("others", "cold"),  # E
        "1005[1].pbs01": ("running", "starting"),  # elements of an array stand for it
        "1005[2].pbs01": ("queued", "queued"),
        "1005[3].pbs01": ("others", "cold"),  # X
        "1006.pbs01": ("private-batch-running", "starting"),
        "1007.pbs01": ("private-batch-queued", "queued"),
        "1009[].pbs01": ("running", "starting"),  # B
        "1010.pbs01": ("others", "cold"),  # F
        "1011.pbs01": ("others", "cold"),  # M
        "1012.pbs01": ("others", "cold"),  # S
        "1013.pbs01": ("queued", "queued"),  # T
        "1014.pbs01": ("others", "cold"),  # U
        "1015.pbs01": ("queued", "queued"),  # W
        "1016.pbs01": ("others", "cold"),  # a state of the future
    }


def test_running_job_is_told_whole(pbs: SchedulerCluster) -> None:
    models = "meta-llama/Llama-3.1-8B-Instruct,BAAI/bge-m3"
    assert pbs.ask()["running"][0] == {
        "Models": models,
        "Models Served": models,
        "Framework": "vllm",
        "Cluster": "polaris",
        "Model Status": "starting",
        "Job ID": "1001.pbs01",
        "Job State": "R",
        "Host Name": "x3005c0s7b0n0",
        "Job Comments": "Job run at Tue Jan 13 at 07:29 on (x3005c0s7b0n0:ncpus=64)+(x3005c0s7b1n0:ncpus=64)",
        "Nodes Reserved": 2,
        "Walltime": "26:30:15",
        "Walltime Left": "45:29:45",
        "Estimated Start Time": "",
    }


def test_waiting_job_tells_its_start(pbs: SchedulerCluster) -> None:
    jobs = {job["Job ID"]: job for job in pbs.ask(TZ="America/Chicago")["queued"]}
    assert jobs["1002.pbs01"]["Estimated Start Time"] == "2026-01-14T18:30:00Z"
    assert jobs["1002.pbs01"]["Walltime Left"] == "02:00:00"
    assert jobs["1002.pbs01"]["Models"] == "mistralai/Mistral-7B-v0.3,mistralai/Mistral-Nemo"
    assert jobs["1015.pbs01"]["Estimated Start Time"] == "2026-01-15T12:00:00Z"
    assert jobs["1013.pbs01"]["Estimated Start Time"] == ""


def test_batches_stand_apart_with_their_user(pbs: SchedulerCluster) -> None:
    document = pbs.ask()
    (running,), (waiting,) = document["private-batch-running"], document["private-batch-queued"]
    assert (running["Batch ID"], running["Username"]) == ("batch_17", "alice@example.org")
    # Said in the arguments of qsub alone:
    assert (waiting["Batch ID"], waiting["Username"]) == ("batch_18", "bob@example.org")
    assert waiting["Models"] == "google/gemma-2-9b-it"


def test_job_that_says_nothing_goes_by_its_name_and_the_site(pbs: SchedulerCluster) -> None:
    document = pbs.ask(INFERENCE_CLUSTER="sophia", INFERENCE_FRAMEWORK="sglang")
    held = next(job for job in document["others"] if job["Job ID"] == "1003.pbs01")
    assert (held["Models"], held["Framework"], held["Cluster"]) == ("held-model", "sglang", "sophia")
    assert (held["Nodes Reserved"], held["Walltime"], held["Walltime Left"], held["Host Name"]) == (0, "", "", "")
    assert document["running"][0]["Cluster"] == "polaris"


def test_free_nodes_are_up_and_empty(pbs: SchedulerCluster) -> None:
    assert pbs.ask()["cluster_status"] == {"free_nodes": 3}


def test_scheduler_is_asked_once_for_each_kind(pbs: SchedulerCluster) -> None:
    pbs.ask()
    assert sorted(pbs.calls()) == ["pbsnodes -a -F json", "qstat -f -t -F json"]


@pytest.mark.parametrize("broken", ['"RANKS":08', '"RANKS":"a "quoted" word"', '"RANKS":"\\x"', '"RANKS":'])
def test_text_says_the_same_where_json_is_not_valid(pbs: SchedulerCluster, broken: str) -> None:
    expected = pbs.ask_text()
    for name in ("qstat", "pbsnodes"):
        as_json = (RECORDED / f"{name}.json").read_text().replace('"RANKS":8', broken).replace("tick", '"')
        pbs.install(name, (RECORDED / f"{name}.txt").read_text(), as_json=as_json)
    assert pbs.ask_text() == expected
    assert sorted(pbs.calls()[2:]) == ["pbsnodes -a", "pbsnodes -a -F json", "qstat -f -t", "qstat -f -t -F json"]


def test_raw_control_characters_do_not_break_json(pbs: SchedulerCluster) -> None:
    as_json = (RECORDED / "qstat.json").read_text().replace("Job run at", "Job\trun\nat")
    pbs.install("qstat", "", as_json=as_json)
    assert pbs.ask()["running"][0]["Job Comments"].startswith("Job run at Tue")


def test_commas_inside_of_variables_survive_the_text_form(pbs: SchedulerCluster) -> None:
    lines = ["Job Id: 7.pbs01", "    Job_Owner = svc@login", "    job_state = Q", "    Submit_arguments ="]
    variables = (
        "    Variable_List = PBS_O_HOME=/home/svc,INFERENCE_MODELS=org/a\\,org/b,\n\tINFERENCE_FRAMEWORK=v\n\tllm"
    )
    pbs.install("qstat", "\n".join([*lines, variables, ""]), as_json="{")
    (job,) = pbs.ask()["queued"]
    assert (job["Models"], job["Framework"]) == ("org/a,org/b", "vllm")


@pytest.mark.parametrize("models", ["org/a,org/b", "org/a\\,org/b", "'org/a,org/b'", "org/a; org/b", '"org/a org/b"'])
def test_models_are_told_apart_however_pbs_writes_them(pbs: SchedulerCluster, models: str) -> None:
    pbs.install_job(models=models)
    assert pbs.ask()["running"][0]["Models"] == "org/a,org/b"


def test_jobs_of_others_are_shown_where_the_site_says_so(pbs: SchedulerCluster) -> None:
    assert "1008.pbs01" in list_standings(pbs.ask(INFERENCE_JOB_USERS="*"))
    assert list_standings(pbs.ask(INFERENCE_JOB_USERS="charlie, dora")) == {"1008.pbs01": ("running", "starting")}


def test_own_jobs_are_those_of_the_endpoint_user(pbs: SchedulerCluster) -> None:
    user = pwd.getpwuid(os.geteuid()).pw_name
    pbs.install("qstat", "", as_json=(RECORDED / "qstat.json").read_text().replace("charlie@", f"{user}@"))
    assert list(list_standings(pbs.ask(INFERENCE_JOB_USERS="", LOGNAME="svc", USER="svc"))) == ["1008.pbs01"]


@pytest.mark.parametrize("printed", ["", " \n", '{"timestamp": 1}', '{"timestamp": 1, "Jobs": {}}'])
def test_no_jobs_is_no_error(pbs: SchedulerCluster, printed: str) -> None:
    pbs.install("qstat", printed)
    document = pbs.ask()
    assert "error" not in document
    assert list_standings(document) == {}


@pytest.mark.parametrize(
    "attributes",
    [{}, {"Job_Owner": None}, {"Job_Owner": 5, "job_state": []}, {"Resource_List": "x", "Variable_List": 3}],
)
def test_job_with_odd_attributes_is_no_accident(pbs: SchedulerCluster, attributes: dict[str, object]) -> None:
    odd = {"Job_Owner": "svc@login", "job_state": "R", "exec_host": "!", **attributes}
    pbs.install("qstat", "", as_json=json.dumps({"timestamp": 1, "Jobs": {"1": odd, "2": None, "3": attributes}}))
    document = pbs.ask(INFERENCE_JOB_USERS="*")
    assert set(list_standings(document)) == {"1", "3"}
