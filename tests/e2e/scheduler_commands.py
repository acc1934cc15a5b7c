"""PBS and Slurm of one node, for the real agent: what this file is called decides which of their commands it is.

`qsub` and `sbatch` run a job's script at once, in a session of its own; `qstat` and `squeue` tell whether it runs;
`qdel` and `scancel` end it. A job's script, process and output are kept in the folder `jobs` beside the commands' own.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

JOBS = Path(__file__).resolve().parent.parent / "jobs"
# PBS gives a job nothing of the environment of `qsub`; this one variable is how a test finds what it has to end.
KEPT = ("HOME", "GLOBUS_COMPUTE_USER_DIR")


def submit(script: str, variable: str, environment: dict[str, str], suffix: str = "") -> str:
    """Run a job; its id."""
    JOBS.mkdir(exist_ok=True)
    job_id = f"{len(list(JOBS.glob('*.pid'))) + 1}{suffix}"
    text = Path(script).read_text()
    (JOBS / f"{job_id}.script").write_text(text)
    with (JOBS / f"{job_id}.log").open("wb") as output:
        process = subprocess.Popen(
            ["/bin/bash", script],
            env={**environment, variable: job_id},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    (JOBS / f"{job_id}.pid").write_text(str(process.pid))
    return job_id


def is_running(job_id: str) -> bool:
    """Whether the job's script has not ended; one that nobody waited for has."""
    with contextlib.suppress(OSError):
        pid = (JOBS / f"{job_id}.pid").read_text()
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def end(job_ids: list[str]) -> None:
    """End jobs as schedulers do."""
    for job_id in job_ids:
        with contextlib.suppress(OSError):
            os.killpg(int((JOBS / f"{job_id}.pid").read_text()), signal.SIGTERM)


def run(command: str, arguments: list[str]) -> str:
    """Do what the command does; what it prints."""
    if command == "qsub":
        bare = {"PATH": "/usr/bin:/bin", **{name: os.environ[name] for name in KEPT}}
        return submit(arguments[-1], "PBS_JOBID", bare, ".pbs01")
    if command == "sbatch":
        return "Submitted batch job " + submit(arguments[-1], "SLURM_JOB_ID", dict(os.environ))
    if command == "qstat":
        assert arguments[:4] == ["-x", "-f", "-F", "json"], arguments
        states = {job_id: {"job_state": "R" if is_running(job_id) else "F"} for job_id in arguments[4:]}
        return json.dumps({"timestamp": 1, "Jobs": states})
    if command == "squeue":
        assert arguments[:2] == ["--noheader", "--format=%i %t"], arguments
        return "\n".join(f"{job_id} R" for job_id in arguments[-1].split(",") if is_running(job_id))
    assert command in {"qdel", "scancel"}, command
    end(arguments)
    return ""


if __name__ == "__main__":
    sys.stdout.write(run(Path(sys.argv[0]).name, sys.argv[1:]) + "\n")
