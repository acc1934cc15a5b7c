"""What a PBS server of one node would say of the federated demo's job: files that ``qstat`` and ``pbsnodes`` print.

The members are those of ``qstat -f -F json`` and ``pbsnodes -a -F json`` that the status function reads.
"""

import json
import time
from pathlib import Path
from typing import Any

from demo import layout

MARKER = "All models started successfully."
WALLTIME_S = 3600


def find_folder(name: str) -> Path:
    """Where a cluster keeps its files."""
    return layout.CLUSTERS / name


class Scheduler:
    """One cluster's files; a job is queued, runs, and serves.

    Args:
        folder: an existing folder of this cluster's own.
    """

    def __init__(self, folder: Path, name: str, model: str) -> None:
        self._folder = folder
        self._name = name
        self._model = model
        self._number = 100
        self._started_at = 0.0
        self._write_commands()
        self._write({}, node="free")

    def submit(self) -> None:
        """A new job, queued."""
        self._number += 1
        self._write(self._job("Q"), node="free")

    def run(self) -> None:
        """The job has its node; the framework loads."""
        self._started_at = time.time()
        self._log().write_text("Loading the model.\n", encoding="utf-8")
        self._write(self._job("R"), node="job-exclusive")

    def serve(self) -> None:
        """The framework is up: the log says so."""
        with self._log().open("a", encoding="utf-8") as log:
            log.write(f"{MARKER}\n")

    def lose_node(self) -> None:
        """No job, and no node to run one on."""
        self._write({}, node="down")

    def repair_node(self) -> None:
        """No job, and a free node."""
        self._write({}, node="free")

    def _job(self, state: str) -> dict[str, Any]:
        running = {"exec_host": f"{self._name}-node/0", "resources_used": {"walltime": "00:00:00"}}
        return {
            f"{self._number}.{self._name}": {
                "Job_Name": "serve",
                "Job_Owner": f"demo@{self._name}",
                "job_state": state,
                "Resource_List": {"nodect": 1, "walltime": time.strftime("%H:%M:%S", time.gmtime(WALLTIME_S))},
                "Variable_List": {
                    "INFERENCE_MODELS": self._model,
                    "INFERENCE_FRAMEWORK": "llama.cpp",
                    "INFERENCE_LOG_FILE": str(self._log()),
                },
                "comment": "queued" if state == "Q" else "running",
                **(running if state == "R" else {}),
            }
        }

    def _log(self) -> Path:
        return self._folder / f"{self._number}.out"

    def _write(self, jobs: dict[str, Any], *, node: str) -> None:
        nodes = {f"{self._name}-node": {"state": node, **({"jobs": list(jobs)} if node == "job-exclusive" else {})}}
        for name, document in (("qstat", {"Jobs": jobs}), ("pbsnodes", {"nodes": nodes})):
            draft = self._folder / f"{name}.tmp"
            draft.write_text(json.dumps({"timestamp": int(time.time()), **document}), encoding="utf-8")
            draft.replace(self._folder / f"{name}.json")

    def _write_commands(self) -> None:
        commands = self._folder / "bin"
        commands.mkdir(exist_ok=True)
        for name in ("qstat", "pbsnodes"):
            script = commands / name
            script.write_text(f"#!/bin/sh\nexec cat '{self._folder / name}.json'\n", encoding="utf-8")
            script.chmod(0o755)
