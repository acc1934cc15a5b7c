"""What the status function of a Slurm cluster makes of what Slurm prints."""

from pathlib import Path

import pytest

from tests.compute_functions.schedulers import SchedulerCluster, list_standings

NONE_LEFT = "<<|{}<|>RUNNING<|>None<|>nid001<|>1<|>0:01<|>INVALID<|>N/A<|>/home/svc<|>name<|>{}|>>\n"


@pytest.fixture
def slurm(tmp_path: Path) -> SchedulerCluster:
    cluster = SchedulerCluster(tmp_path, "squeue")
    cluster.install_recorded()
    return cluster


def test_jobs_stand_in_their_sections(slurm: SchedulerCluster) -> None:
    standings = list_standings(slurm.ask())
    assert {job: standing for job, standing in standings.items() if job < "21"} == {
        "2001": ("running", "starting"),
        "2002": ("queued", "queued"),
        "2003": ("others", "cold"),  # held
        "2004": ("others", "cold"),  # can never start
        "2005": ("others", "cold"),  # completing
        "2006_1": ("running", "starting"),
        "2006_[2-9%2]": ("queued", "queued"),
        "2007": ("private-batch-running", "starting"),
        "2008": ("private-batch-queued", "queued"),
    }


def test_every_state_has_its_section(slurm: SchedulerCluster) -> None:
    document = slurm.ask()
    states = {section: {job["Job State"] for job in document[section]} for section in ("running", "queued", "others")}
    assert states["running"] == {"RUNNING", "CONFIGURING", "RESIZING", "SIGNALING"}
    assert states["queued"] == {"PENDING", "REQUEUED", "REQUEUE_FED"}
    assert states["others"] == {
        *(
            "PENDING",
            "COMPLETING",
            "SUSPENDED",
            "COMPLETED",
            "FAILED",
            "TIMEOUT",
            "CANCELLED",
            "PREEMPTED",
            "NODE_FAIL",
        ),
        *("OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE", "STAGE_OUT", "STOPPED", "SPECIAL_EXIT", "REVOKED", "REQUEUE_HOLD"),
        *("RESV_DEL_HOLD", "NOVEL_STATE"),
    }


def test_running_job_is_told_whole(slurm: SchedulerCluster) -> None:
    models = "meta-llama/Llama-3.1-8B-Instruct,BAAI/bge-m3"
    assert slurm.ask()["running"][0] == {
        "Models": models,
        "Models Served": models,
        "Framework": "vllm",
        "Cluster": "perlmutter",
        "Model Status": "starting",
        "Job ID": "2001",
        "Job State": "RUNNING",
        "Host Name": "nid001",
        "Job Comments": "",
        "Nodes Reserved": 2,
        "Walltime": "26:30:15",
        "Walltime Left": "45:29:45",
        "Estimated Start Time": "",
    }


def test_waiting_job_tells_its_start_and_why_it_waits(slurm: SchedulerCluster) -> None:
    job = slurm.ask(TZ="America/Chicago")["queued"][0]
    assert job["Models"] == "mistralai/Mistral-7B-v0.3,mistralai/Mistral-Nemo"
    assert (job["Estimated Start Time"], job["Job Comments"]) == ("2026-01-14T18:30:00Z", "Resources")
    assert (job["Host Name"], job["Walltime"], job["Walltime Left"]) == ("", "00:00:00", "02:00:00")


def test_comment_of_several_lines_is_read_whole(slurm: SchedulerCluster) -> None:
    (job,) = slurm.ask()["private-batch-queued"]
    assert (job["Models"], job["Batch ID"], job["Username"]) == (
        "google/gemma-2-9b-it",
        "batch_18",
        "bob@example.org",
    )


def test_job_without_comment_goes_by_its_name_and_the_site(slurm: SchedulerCluster) -> None:
    jobs = {job["Job ID"]: job for job in slurm.ask(INFERENCE_CLUSTER="here")["running"]}
    assert (jobs["2006_1"]["Models"], jobs["2006_1"]["Framework"], jobs["2006_1"]["Cluster"]) == (
        "sweep",
        "vllm",
        "here",
    )
    assert jobs["2006_1"]["Walltime Left"] == ""


def test_marks_inside_of_a_comment_cost_no_job(slurm: SchedulerCluster) -> None:
    slurm.install("squeue", NONE_LEFT.format(1, "a <|> b <<| c |>> d") + NONE_LEFT.format(2, "INFERENCE_MODELS=m"))
    assert [(job["Job ID"], job["Models"]) for job in slurm.ask()["running"]] == [("1", "name"), ("2", "m")]


def test_free_nodes_are_idle_and_counted_once(slurm: SchedulerCluster) -> None:
    assert slurm.ask()["cluster_status"] == {"free_nodes": 3}


def test_scheduler_is_asked_once_for_each_kind(slurm: SchedulerCluster) -> None:
    slurm.ask(INFERENCE_PARTITIONS="gpu,debug; $(x)")
    form = "--format=<<|%i<|>%T<|>%r<|>%B<|>%D<|>%M<|>%L<|>%S<|>%Z<|>%j<|>%k|>>"
    assert sorted(slurm.calls()) == [
        "sinfo --noheader --Node --partition=gpu,debug,x --format=%N<|>%T",
        f"squeue --noheader --states=all --user=svc {form}",
    ]


def test_everybody_is_no_condition(slurm: SchedulerCluster) -> None:
    slurm.ask(INFERENCE_JOB_USERS="*")
    assert not any("--user" in call for call in slurm.calls())


def test_no_jobs_is_no_error(slurm: SchedulerCluster) -> None:
    slurm.install("squeue", "")
    document = slurm.ask()
    assert "error" not in document
    assert list_standings(document) == {}
