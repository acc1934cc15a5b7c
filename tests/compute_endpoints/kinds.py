"""Kinds of compute endpoints, installed as an administrator does it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2.sandbox
import yaml

KINDS = Path(__file__).parents[2] / "compute-endpoints"
NAMES = ("local", "pbs", "slurm", "pbs-multi-node", "slurm-multi-node", "batch", "status")
SERVING = NAMES[:5]
FUNCTION_ID = "0de30000-0000-4000-8000-00000000f001"
OTHER_ID = "0de30000-0000-4000-8000-00000000f002"


@dataclass(frozen=True)
class Root:
    """A user's folder of compute endpoints; `python` is whose environment installs."""

    folder: Path
    python: str = sys.executable

    def run(self, kind: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """What ``install.py`` does with these arguments."""
        command = [self.python, str(KINDS / "install.py"), kind, *arguments]
        environment = {**os.environ, "GLOBUS_COMPUTE_USER_DIR": str(self.folder)}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)

    def install(self, kind: str, *settings: str, force: bool = False) -> "Installed":
        """Install an endpoint that is called as its kind."""
        models = ["models=org/model=8000"] if kind in SERVING else []
        told = [] if force else [f"functions={FUNCTION_ID}", *models]
        options = [f"--set={setting}" for setting in (*told, *settings)]
        done = self.run(kind, kind, *options, *(["--force"] if force else []))
        assert done.returncode == 0, done.stderr
        return Installed(self.folder / kind, done.stdout)


@dataclass(frozen=True)
class Installed:
    """The files of an endpoint."""

    folder: Path
    output: str

    @property
    def config(self) -> Any:
        return yaml.safe_load((self.folder / "config.yaml").read_text())

    @property
    def schema(self) -> Any:
        return json.loads((self.folder / "user_config_schema.json").read_text())

    @property
    def environment(self) -> Any:
        return yaml.safe_load((self.folder / "user_environment.yaml").read_text())

    def render(self, **options: object) -> Any:
        """The template as the agent renders it, decoded."""
        text = (self.folder / "user_config_template.yaml.j2").read_text()
        sandbox = jinja2.sandbox.SandboxedEnvironment(undefined=jinja2.StrictUndefined)
        return yaml.safe_load(sandbox.from_string(text).render(**options))

    @property
    def provider(self) -> Mapping[str, Any]:
        provider: Mapping[str, Any] = self.render()["engine"]["provider"]
        return provider

    @property
    def exports(self) -> dict[str, str]:
        """What the job's script hands on to its programs, found by running its lines before the models start."""
        lines = self.provider["worker_init"].replace('. "$INFERENCE_FOLDER/serve.sh"', "")
        script = f"{lines}\nenv -0"
        environment = {"PATH": os.environ["PATH"], "GLOBUS_COMPUTE_CLIENT_SECRET": "s3cret"}
        done = subprocess.run(["/bin/bash", "-c", script], capture_output=True, text=True, check=True, env=environment)
        return dict(line.split("=", 1) for line in done.stdout.split("\0") if "=" in line)
