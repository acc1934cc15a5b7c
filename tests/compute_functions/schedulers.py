"""Clusters for the status functions: executables that print what schedulers print, and the functions as shipped."""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FUNCTIONS = Path(__file__).parents[2] / "compute-functions"
RECORDED = Path(__file__).parent / "recorded"
SECTIONS = ("running", "queued", "others", "private-batch-running", "private-batch-queued")

# What a worker does with a function's text, on an interpreter that has nothing beside the standard library.
WORKER = "import json, sys; names = {}; exec(sys.stdin.read(), names); sys.stdout.write(names[sys.argv[1]]())"
COMMAND = """#!/bin/sh
printf '%s\\n' "{name} $*" >> "{folder}/calls"
{first}
case "$*" in *json*) cat "{folder}/{name}.json" ;; *) cat "{folder}/{name}.txt" ;; esac
exit {status}
"""


@dataclass
class SchedulerCluster:
    """A cluster with the commands of a scheduler, whose status is asked for; `port` is where its frameworks listen."""

    folder: Path
    scheduler: str
    variables: dict[str, str] = field(default_factory=dict)

    def install(self, name: str, text: str, *, as_json: str | None = None, first: str = "", status: int = 0) -> None:
        """Put a command there, which runs the shell line `first` and prints `text`, or `as_json` where asked for it."""
        (self.folder / f"{name}.txt").write_text(text)
        (self.folder / f"{name}.json").write_text(text if as_json is None else as_json)
        command = self.folder / "bin" / name
        command.parent.mkdir(exist_ok=True)
        command.write_text(COMMAND.format(name=name, folder=self.folder, first=first, status=status))
        command.chmod(0o755)

    def install_recorded(self) -> None:
        """Put all commands there, with the recorded answers."""
        for name in ("qstat", "pbsnodes") if self.scheduler == "qstat" else ("squeue", "sinfo"):
            as_json = RECORDED / f"{name}.json"
            text = (RECORDED / f"{name}.txt").read_text()
            self.install(name, text, as_json=as_json.read_text() if as_json.exists() else None)

    def install_job(self, host: str = "127.0.0.1", count: int = 1, **notes: str) -> None:
        """Let running jobs be all there is, ids 1, 2, …; `notes` are their ``INFERENCE_…`` values, in small letters."""
        said = {f"INFERENCE_{name.upper()}": value for name, value in notes.items()}
        if self.scheduler == "qstat":
            job: dict[str, object] = {
                "Job_Name": "job",
                "Job_Owner": "svc@login",
                "job_state": "R",
                "exec_host": host + "/0*4",
            }
            job |= {"Variable_List": said, "Output_Path": f"login:{self.folder}/scheduler.log"}
            jobs = {f"{number}.pbs01": job for number in range(1, count + 1)}
            self.install("qstat", "", as_json=json.dumps({"timestamp": 1, "Jobs": jobs}))
        else:
            comment = " ".join(f"{name}={value}" for name, value in said.items())
            fields = ("RUNNING", "None", host, "1", "1:00", "9:00", "N/A", str(self.folder), "job", comment)
            lines = [f"<<|{'<|>'.join((str(number), *fields))}|>>\n" for number in range(1, count + 1)]
            self.install("squeue", "".join(lines))

    def ask_text(self, **variables: str) -> str:
        """Call the function in a process of its own, with more variables in the endpoint's environment."""
        path = f"{self.folder}/bin:/usr/bin:/bin"
        defaults = {"PATH": path, "TZ": "UTC", "INFERENCE_JOB_USERS": "svc", "INFERENCE_HEALTH_CHECK": "off"}
        run = subprocess.run(
            [sys.executable, "-I", "-S", "-W", "error", "-c", WORKER, f"{self.scheduler}_status_function"],
            input=read_function(self.scheduler),
            capture_output=True,
            text=True,
            check=False,
            env={**defaults, **self.variables, **variables},
            timeout=50,
        )
        assert (run.returncode, run.stderr) == (0, "")
        return run.stdout

    def ask(self, **variables: str) -> dict[str, Any]:
        """The same, decoded; what holds for every status is checked."""
        text = self.ask_text(**variables)
        document = json.loads(text)
        assert len(text) <= 1_000_000
        assert document.keys() - {"error", "left_out"} == {*SECTIONS, "cluster_status"}
        assert isinstance(document, dict)
        return document

    def calls(self) -> list[str]:
        """The command lines that reached the scheduler."""
        return (self.folder / "calls").read_text().splitlines()


def read_function(scheduler: str) -> str:
    """The text that is registered."""
    return (FUNCTIONS / f"{scheduler}_register_function.py").read_text(encoding="utf-8")


def list_standings(document: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Where each job's model stands: its section and its state, by job id."""
    return {job["Job ID"]: (section, job["Model Status"]) for section in SECTIONS for job in document[section]}
