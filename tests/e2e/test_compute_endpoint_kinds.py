"""The kinds of compute-endpoints/, installed as documented, in the real agent: from `install.py` to a stream."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.compute_endpoints.kinds import KINDS
from tests.compute_endpoints.launcher import MARKER
from tests.e2e.agent import NAME, Agent, AgentSettings, find_processes, running_agent
from tests.e2e.compute_site import MESSAGES, build_gateway, register_shipped_function, wait_online, wait_until
from tests.gateway import GatewayServer, federated
from tests.globus_cloud import GlobusCloud, start_cloud
from tests.personas import ALICE, SERVICE_ACCOUNT_ID, SERVICE_ACCOUNT_SECRET
from tests.servers.process import find_free_port
from tests.servers.rabbitmq import RabbitMQServer

pytestmark = [pytest.mark.agent, pytest.mark.rabbitmq, pytest.mark.timeout(400)]

SERVER = KINDS.parent / "tests" / "compute_endpoints" / "openai_server.py"
COMMANDS = {"local": (), "pbs": ("qsub", "qstat", "qdel"), "slurm": ("sbatch", "squeue", "scancel")}
ANSWER_S, END_S = 150, 90
JOB_IDS = {"pbs": "1.pbs01", "slurm": "1"}


@dataclass(frozen=True)
class Endpoint:
    """An endpoint of a kind that is to be installed and started; `port` is its model's."""

    kind: str
    function_id: str
    port: int

    @property
    def model(self) -> str:
        return f"org/{self.kind}"

    def install(self, root: Path) -> None:
        """Do what the documentation says, with the Python of the agent's environment, and lay out a scheduler."""
        venv = Path(os.environ["GLOBUS_COMPUTE_ENDPOINT_VENV"])
        bin_folder = root.parent / "bin"
        bin_folder.mkdir()
        shutil.copy(SERVER, bin_folder / "openai_server.py")
        for name in COMMANDS[self.kind]:
            source = (KINDS.parent / "tests" / "e2e" / "scheduler_commands.py").read_text()
            (bin_folder / name).write_text(f"#!{venv}/bin/python\n{source}")
            (bin_folder / name).chmod(0o755)
        command = ["python3", f"{bin_folder}/openai_server.py", "--model", "{model}", "--port", "{port}"]
        settings = [f"functions={self.function_id}", f"models={self.model}={self.port}", "workers=2"]
        settings += [f"setup=export PATH={venv}/bin:$PATH", f"command={json.dumps(command)}"]
        settings += [f"PATH={venv}/bin:{bin_folder}:/usr/bin:/bin"]
        settings += ["interface=lo"] if COMMANDS[self.kind] else []
        script = [str(venv / "bin" / "python"), str(KINDS / "install.py"), self.kind, NAME]
        environment = {"PATH": os.environ["PATH"], "GLOBUS_COMPUTE_USER_DIR": str(root)}
        options = [f"--set={setting}" for setting in settings]
        done = subprocess.run([*script, *options], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "The agent has not read it" not in done.stdout


@dataclass(frozen=True)
class Stage:
    """What all kinds share: a cloud, a gateway without rows, the function's UUID."""

    globus: GlobusCloud
    gateway: GatewayServer
    function_id: str


@pytest.fixture(scope="module")
def stage(rabbitmq_session: RabbitMQServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("stage")
    process, globus = start_cloud(folder, "--no-endpoint", f"--amqp-url={rabbitmq_session.url}")
    gateway = build_gateway(globus, folder)
    gateway.manage("migrate", "-v0")
    with gateway:
        yield Stage(globus, gateway, register_shipped_function(globus, folder))
    process.stop()


@pytest.fixture(params=list(COMMANDS))
def endpoint(request: pytest.FixtureRequest, stage: Stage) -> Endpoint:
    return Endpoint(request.param, stage.function_id, find_free_port())


@pytest.fixture
def agent(stage: Stage, endpoint: Endpoint) -> Iterator[Agent]:
    settings = AgentSettings(
        venv=Path(os.environ["GLOBUS_COMPUTE_ENDPOINT_VENV"]),
        url=stage.globus.url,
        client_id=SERVICE_ACCOUNT_ID,
        client_secret=SERVICE_ACCOUNT_SECRET,
        install=endpoint.install,
    )
    with running_agent(settings) as started:
        wait_online(stage.globus, started.endpoint_id)
        yield started


def test_endpoint_serves_a_stream_and_ends_with_all_it_started(stage: Stage, endpoint: Endpoint, agent: Agent) -> None:
    lines = ask(stage, endpoint, agent)
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
    deltas = [choice["delta"].get("content") for chunk in chunks for choice in chunk["choices"]]
    assert "".join(filter(None, deltas)) == "The quick brown fox"
    assert [chunk["usage"]["completion_tokens"] for chunk in chunks if chunk.get("usage")] == [4]
    assert lines[-1] == "data: [DONE]"
    check_job(endpoint, agent)
    agent.process.send_signal(signal.SIGTERM)
    assert wait_until(lambda: agent.process.poll() is not None and not find_processes(agent.folder), END_S), (
        agent.read_logs()
    )


def ask(stage: Stage, endpoint: Endpoint, agent: Agent) -> list[str]:
    """Put the model into the catalogue, wait for the gateway to know it, and ask it; the lines of the answer."""
    row = {"cluster": endpoint.kind, "framework": "vllm", "model": endpoint.model, "api_port": endpoint.port}
    place = {"endpoint_uuid": agent.endpoint_id, "function_uuid": stage.function_id, "relay": True}
    stage.gateway.load([federated(list(COMMANDS).index(endpoint.kind) + 1, endpoint.model, {**row, **place})])
    token = stage.globus.issue_token(ALICE)
    url = f"{stage.gateway.base_url}/v1"
    headers = {"Authorization": f"Bearer {token}"}
    assert wait_until(lambda: requests.get(f"{url}/models/{endpoint.model}", headers=headers, timeout=30).ok, 60)
    body = {"model": endpoint.model, "messages": MESSAGES, "stream": True, "stream_options": {"include_usage": True}}
    response = requests.post(f"{url}/chat/completions", json=body, headers=headers, timeout=ANSWER_S)
    assert response.status_code == 200, f"{response.text}\n{stage.gateway.log}\n{agent.read_logs()}"
    assert "data: [DONE]" in response.text, f"{response.text}\n{stage.gateway.log}\n{agent.read_logs()}"
    return [line for line in response.text.splitlines() if line]


def check_job(endpoint: Endpoint, agent: Agent) -> None:
    """What ran is what a scheduler was given, without the account's secret; its log says that the models serve."""
    logs = agent.folder / "config" / "inference-logs"
    pattern = f"{JOB_IDS.get(endpoint.kind, 'local-*')}.log"
    assert [path.read_text().splitlines()[0] for path in logs.glob(pattern)] == [MARKER]
    server = requests.get(f"http://127.0.0.1:{endpoint.port}/arguments", timeout=30).json()
    assert "GLOBUS_COMPUTE_CLIENT_SECRET" not in server["environment"]
    if endpoint.kind in JOB_IDS:
        script = (agent.folder / "jobs" / f"{JOB_IDS[endpoint.kind]}.script").read_text()
        assert f"INFERENCE_MODELS={endpoint.model}" in script
        assert SERVICE_ACCOUNT_SECRET not in script
