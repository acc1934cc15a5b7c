"""A model of several nodes, whose launcher starts a process per node on this one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.compute_endpoints.launcher import KINDS, SERVER, Job, await_until, build_model

pytestmark = pytest.mark.timeout(180)

# What `mpiexec` and `srun` have in common: as many processes as there are nodes, each told its rank; they end together.
LAUNCHER = """
import os, signal, subprocess, sys
count, *command = sys.argv[1:]
children = [subprocess.Popen(command, env={**os.environ, "@VARIABLE@": str(rank)}) for rank in range(int(count))]
signal.signal(signal.SIGTERM, lambda *_: [child.terminate() for child in children])
os.waitpid(-1, 0)
[child.terminate() for child in children]
"""
# Serves where it is the first node, else works without a server, as vLLM does.
NODE = f"""
import runpy, sys, time
if "--headless" in sys.argv:
    time.sleep(600)
sys.argv = sys.argv[1:]
runpy.run_path({SERVER[1]!r}, run_name="__main__")
"""


@pytest.mark.parametrize("variable", ["SLURM_PROCID", "PALS_RANKID", "PMIX_RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK"])
def test_each_node_knows_its_place(variable: str) -> None:
    shown = [show(rank, variable) for rank in (0, 1)]
    place = "--nnodes 2 --node-rank {} --master-addr node1 --master-port 29501"
    assert shown == [f"vllm serve m {place.format(0)}\n", f"vllm serve m {place.format(1)} --headless\n"]


def show(rank: int, variable: str) -> str:
    """The command line that a node comes to."""
    environment = {"PATH": os.environ["PATH"], variable: str(rank), "INFERENCE_HEAD": "node1"}
    command = [sys.executable, str(KINDS / "serve_node.py"), "2", "echo", "vllm", "serve", "m"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=30)
    return done.stdout


@pytest.mark.parametrize("known", [{}, {"PMI_RANK": "0"}, {"INFERENCE_HEAD": "node1"}])
def test_node_without_a_place_says_so(known: dict[str, str]) -> None:
    command = [sys.executable, str(KINDS / "serve_node.py"), "2", "true"]
    environment = {"PATH": os.environ["PATH"], **known}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert "INFERENCE_HEAD" in done.stderr


def test_model_of_two_nodes_is_kept_alive_as_one(tmp_path: Path) -> None:
    job = Job(tmp_path, [build_model("a")])
    launch = [sys.executable, "-c", LAUNCHER.replace("@VARIABLE@", "PMI_RANK"), "2"]
    node = [sys.executable, str(KINDS / "serve_node.py"), "2", sys.executable, "-c", NODE]
    job.settings["command"] = [*launch, *node, "serve", *SERVER[2:]]
    command = ["env", "INFERENCE_HEAD=node1", *job.build_command("--status-file", str(job.status_file))]
    with job.running(*command) as process:
        await_until(lambda: job.is_serving)
        await_until(lambda: find_workers(job))
        first = set(job.find_processes()) - {process.pid}
        assert len(first) == 3
        os.kill(find_workers(job)[0], 9)
        await_until(lambda: f"a port {job.models[0]['port']} restarts 1" in job.status and job.is_serving)
        await_until(lambda: not first & set(job.find_processes()))
        process.terminate()
        await_until(lambda: not job.find_processes())


def find_workers(job: Job) -> list[int]:
    """The nodes that work without a server, once they are what they become."""
    lines = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in job.find_processes()}
    return [pid for pid, line in lines.items() if b"--headless" in line and b"serve_node.py" not in line]
