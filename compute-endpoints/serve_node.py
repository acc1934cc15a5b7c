"""One node of a model that takes several: `mpiexec` or `srun` starts it on each, with their number and a command.

    mpiexec -n 2 -ppn 1 python3 serve_node.py 2 vllm serve MODEL --host 127.0.0.1 --port 8000

The first node serves; the others are workers without a server of their own (vLLM's `--headless`). Nodes find each other
at the first one's name, which the job's script exports as INFERENCE_HEAD, and at port 29501 or INFERENCE_HEAD_PORT.
"""

from __future__ import annotations

import os
import sys

RANKS = ("SLURM_PROCID", "PALS_RANKID", "PMIX_RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK")


def build_command(nodes: str, command: list[str]) -> list[str]:
    """The command of this node. Raises `SystemExit` where nothing says which node this is."""
    rank = next((os.environ[name] for name in RANKS if os.environ.get(name, "").isdecimal()), None)
    head = os.environ.get("INFERENCE_HEAD")
    if rank is None or not head:
        sys.exit(f"serve_node.py: none of {', '.join(RANKS)} tells the node's rank, or INFERENCE_HEAD is not set")
    port = os.environ.get("INFERENCE_HEAD_PORT", "29501")
    place = ["--nnodes", nodes, "--node-rank", rank, "--master-addr", head, "--master-port", port]
    return [*command, *place, *([] if rank == "0" else ["--headless"])]


if __name__ == "__main__":
    command = build_command(sys.argv[1], sys.argv[2:])
    os.execvp(command[0], command)  # noqa: S606 - the job's own words, and no shell
