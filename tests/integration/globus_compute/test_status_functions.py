"""The status functions through the local Globus cloud: registered by their scripts, run without arguments."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.compute_functions.schedulers import SECTIONS
from tests.globus_cloud import GlobusCloud
from tests.integration.globus_compute.conftest import FUNCTIONS, run_registration, sdk_environment

# The SDK's client, as it asks for a task's result, in a process of its own.
ASK = """
import sys, time
from registration import build_client
client, (endpoint_id, function_id) = build_client(), sys.argv[1:]
batch = client.create_batch(result_serializers=["globus_compute_sdk.serialize.concretes.JSONData"])
batch.add(function_id)
task_id = client.batch_run(endpoint_id, batch)["tasks"][function_id][0]
while client.get_task(task_id)["pending"]:
    time.sleep(0.2)
sys.stdout.write(client.get_result(task_id))
"""


@pytest.mark.parametrize("scheduler", ["qstat", "squeue"])
def test_registered_status_function_runs_without_arguments(
    globus: GlobusCloud, endpoint_id: str, tmp_path: Path, scheduler: str
) -> None:
    environment = sdk_environment(globus)
    done = run_registration(tmp_path, environment, f"{scheduler}_register_function.py")
    assert done.returncode == 0, done.stderr
    function_id = (tmp_path / f"{scheduler}_register_function.txt").read_text().strip()
    assert done.stdout.splitlines()[0] == f"Function registered with UUID - {function_id}"
    answer = subprocess.run(
        [sys.executable, "-c", ASK, endpoint_id, function_id],
        cwd=FUNCTIONS,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert answer.returncode == 0, answer.stderr
    document = json.loads(answer.stdout)
    # No scheduler runs here, which is one of the answers that operators will meet.
    assert document["error"] == f"{scheduler} cannot be run: No such file or directory"
    assert document.keys() == {*SECTIONS, "cluster_status", "error"}
