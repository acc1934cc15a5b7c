"""Docker Compose's own reading of docker-compose.yml; it needs no engine for that."""

import json
import subprocess
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
# The package's console script hides the exit status; this is what it starts.
PROGRAM = Path(sysconfig.get_path("purelib")) / "compose" / "docker-compose"
FILLED = {
    "SECRET_KEY": "s",
    "GLOBUS_APPLICATION_ID": "i",
    "GLOBUS_APPLICATION_SECRET": "a",
    "POSTGRES_PASSWORD": "p",
}


def run_compose(env_file: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """``docker-compose config`` with this .env, and nothing of the environment of the tests."""
    return subprocess.run(
        [PROGRAM, "--env-file", env_file, "--profile", "monitoring", "config", *arguments],
        cwd=ROOT,
        env={"GATEWAY_ENV_FILE": str(env_file)},
        capture_output=True,
        text=True,
        check=False,
    )


def read_services(folder: Path, values: Mapping[str, str] | None = None) -> dict[str, dict[str, Any]]:
    """All services with everything merged and filled in; `values` are lines of .env, quotes and all."""
    env_file = folder / "compose.env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in {**FILLED, **(values or {})}.items()))
    done = run_compose(env_file, "--format", "json")
    assert done.returncode == 0, done.stderr
    services: dict[str, dict[str, Any]] = json.loads(done.stdout)["services"]
    return services
