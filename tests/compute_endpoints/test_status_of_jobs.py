"""What the status function says of a job follows what its models do."""

import os
import signal
from pathlib import Path

import pytest

from tests.compute_endpoints.launcher import KINDS, Job, await_until, build_model
from tests.compute_functions.schedulers import SchedulerCluster

pytestmark = pytest.mark.timeout(180)

IDS = {"qstat": "PBS_JOBID=1.pbs01", "squeue": "SLURM_JOB_ID=1"}


@pytest.mark.parametrize("scheduler", list(IDS))
def test_job_is_hot_while_its_models_serve(tmp_path: Path, scheduler: str) -> None:
    cluster = SchedulerCluster(tmp_path, scheduler)
    cluster.install_recorded()
    cluster.install_job(models="a")
    job = Job(tmp_path, [build_model("a")], {"pause_s": 30})

    def ask() -> str:
        [entry] = cluster.ask(INFERENCE_LOG_DIR=f"{tmp_path}/logs")["running"]
        return str(entry["Model Status"])

    assert ask() == "starting"
    lines = [f"export {IDS[scheduler]} INFERENCE_FOLDER={KINDS} INFERENCE_LOG_DIR={tmp_path}/logs"]
    lines += [f"export INFERENCE_SERVE='{job.config}'", f". {KINDS}/serve.sh", "echo at work", "sleep 600"]
    with job.running("bash", "-c", "\n".join(lines)):
        await_until(lambda: "at work" in job.output)
        assert ask() == "hot"
        os.kill(job.find_pid(0), signal.SIGKILL)
        await_until(lambda: "restart 1 of" in job.complaints)
        await_until(lambda: ask() == "starting")
