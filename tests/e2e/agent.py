"""Runs the real `globus-compute-endpoint` agent, unmodified, as an ordinary user against a local Globus cloud."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Engine = Literal["thread", "process", "htex"]

HERE = Path(__file__).resolve().parent
NOBODY = 65534
NAME = "laptop"
START_S = 30.0
STOP_S = 20.0
HEARTBEAT_S = 5

ENGINES: dict[Engine, str] = {
    "thread": "type: ThreadPoolEngine\n  max_workers: 4",
    "process": "type: ProcessPoolEngine\n  max_workers: 2",
    "htex": """type: GlobusComputeEngine
  max_workers_per_node: 2
  address: 127.0.0.1
  provider:
    type: LocalProvider
    init_blocks: 1
    min_blocks: 1
    max_blocks: 1""",
}


@dataclass(frozen=True, kw_only=True)
class AgentSettings:
    """How to run an agent.

    Attributes:
        venv: a virtual environment with `globus-compute-endpoint`, which `uid` can read and run.
        url: the cloud's address, for Auth and Compute.
        client_id: the client identity that owns the endpoint.
        uid: whom to run as; matters for root only. It must have an entry in the user database.
        env: environment variables of the functions.
        install: lays out the endpoint called `NAME` in the folder it is given, instead of one with `engine` and `env`.
    """

    venv: Path
    url: str
    client_id: str
    client_secret: str = field(repr=False)
    engine: Engine = "thread"
    uid: int = NOBODY
    env: Mapping[str, str] = field(default_factory=dict)
    install: Callable[[Path], None] | None = None


@dataclass(frozen=True, kw_only=True)
class Agent:
    """A running agent."""

    endpoint_id: str
    folder: Path
    process: subprocess.Popen[bytes]

    def read_logs(self) -> str:
        """Everything that it and its user endpoints have logged."""
        return read_logs(self.folder)


@contextlib.contextmanager
def running_agent(settings: AgentSettings) -> Iterator[Agent]:
    """Start an agent and wait until it is registered; stop it, and all it started, at the end.

    Raises:
        RuntimeError: it did not register; the message holds its logs.
    """
    folder = Path(tempfile.mkdtemp(prefix="agent-", dir="/tmp"))  # other users cannot reach pytest's own folders
    try:
        write_folder(folder, settings)
        process = start(folder, settings)
        try:
            yield Agent(endpoint_id=wait_registered(folder, process), folder=folder, process=process)
        finally:
            stop(folder, process)
    finally:
        shutil.rmtree(folder)


def write_folder(folder: Path, settings: AgentSettings) -> None:
    """Lay out what the agent reads, owned by the user it runs as."""
    shutil.copytree(HERE / "agent_site", folder / "site", ignore=shutil.ignore_patterns("__pycache__"))
    (settings.install or (lambda root: write_config(root / NAME, settings)))(folder / "config")
    if os.getuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, settings.uid, settings.uid)


def write_config(config: Path, settings: AgentSettings) -> None:
    """The plainest endpoint there is."""
    config.mkdir(parents=True)
    (config / "config.yaml").write_text(f"display_name: {NAME}\nheartbeat_period: {HEARTBEAT_S}\n")
    template = f"heartbeat_period: {HEARTBEAT_S}\nidle_heartbeats_soft: 0\nengine:\n  {ENGINES[settings.engine]}\n"
    (config / "user_config_template.yaml.j2").write_text(template)
    (config / "user_config_schema.json").write_text(json.dumps({"type": "object", "additionalProperties": False}))
    (config / "user_environment.yaml").write_text(json.dumps(dict(settings.env)))  # JSON is YAML


def start(folder: Path, settings: AgentSettings) -> subprocess.Popen[bytes]:
    """Start `globus-compute-endpoint start`."""
    program = settings.venv / "bin" / "globus-compute-endpoint"
    user = settings.uid if os.getuid() == 0 else None
    with (folder / "agent.log").open("wb") as log:
        return subprocess.Popen(
            [program, "start", NAME],
            env=build_env(folder, settings),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            start_new_session=True,
        )


def build_env(folder: Path, settings: AgentSettings) -> dict[str, str]:
    """The agent's whole environment."""
    return {
        "PATH": f"{settings.venv / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONPATH": str(folder / "site"),
        "GLOBUS_COMPUTE_USER_DIR": str(folder / "config"),
        "GLOBUS_COMPUTE_SERVICE_URL": settings.url,
        "GLOBUS_COMPUTE_CLIENT_ID": settings.client_id,
        "GLOBUS_COMPUTE_CLIENT_SECRET": settings.client_secret,
        "GLOBUS_SDK_ENVIRONMENT": "local",
        "GLOBUS_SDK_SERVICE_URL_AUTH": settings.url,
        "GLOBUS_SDK_SERVICE_URL_GROUPS": settings.url,
        "GLOBUS_SDK_SERVICE_URL_TRANSFER": settings.url,
    }


def wait_registered(folder: Path, process: subprocess.Popen[bytes]) -> str:
    """Wait until the agent knows its endpoint id.

    Raises:
        RuntimeError: it ended, or took too long; the message holds its logs.
    """
    note = folder / "config" / NAME / "endpoint.json"
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):  # not there yet, or half written
            return str(json.loads(note.read_text())["endpoint_id"])
        time.sleep(0.05)
    raise RuntimeError(f"the agent did not register (exit code {process.poll()}):\n{read_logs(folder)}")


def read_logs(folder: Path) -> str:
    """Every log file below the folder, one after the other."""
    logs = sorted(folder.rglob("*.log"))
    return "\n".join(f"--- {log.relative_to(folder)}\n{log.read_text(errors='replace')}" for log in logs)


def stop(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Ask the agent to end; then kill what is left of it and of what it started."""
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_S)
    for pid in find_processes(folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait(STOP_S)


def find_processes(folder: Path) -> list[int]:
    """Processes that got this agent's environment: user endpoints and workers leave its session and process group."""
    mark = f"GLOBUS_COMPUTE_USER_DIR={folder / 'config'}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile, or belongs to somebody else
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found
