"""The backend, the shipped function and a framework, through the local Globus cloud: everything but the API."""

import asyncio
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from aiohttp import web

from resource_server.backends.base import Call, Upstream
from resource_server.backends.globus_compute.backend import GlobusComputeBackend
from resource_server.backends.globus_compute.settings import GlobusComputeSettings
from resource_server.domain.operations import Operation
from resource_server.domain.targets import GlobusComputeTarget
from resource_server.relay.base import Relay
from resource_server.relay.relay import open_relay
from resource_server.state.memory import MemoryState
from tests.framework import CHAT, Framework, running_framework
from tests.globus_cloud import GlobusCloud
from tests.personas import SERVICE_ACCOUNT_ID, SERVICE_ACCOUNT_SECRET

FUNCTIONS = Path(__file__).parents[3] / "compute-functions"
UUID_FILE = "vllm_register_function_sophia_multiple_models.txt"
RELAY_PATH = "/resource_server/relay"

FIELD_FUNCTION = '''
import json, time, urllib.request

def field_function(parameters):
    """What clusters run that know nothing of our relay."""
    params = dict(parameters["model_params"])
    url = f"http://127.0.0.1:{params.pop('api_port')}/v1/{params.pop('openai_endpoint')}"
    request = urllib.request.Request(url, json.dumps(params).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as response:
        answer = json.load(response)
    answer["response_time"] = 0.1
    answer["throughput_tokens_per_second"] = 40.0
    return json.dumps(answer)
'''
ODD_FUNCTION = '''
import os

def odd_function(parameters):
    """Misbehaves as the body says."""
    return {"raise": lambda: 1 / 0, "text": lambda: "no JSON", "kill": lambda: os._exit(1)}[
        parameters["model_params"]["how"]
    ]()
'''


@dataclass
class Cluster:
    """A compute endpoint with its framework."""

    globus: GlobusCloud
    framework: Framework
    endpoint_id: str
    functions: dict[str, str] = field(default_factory=dict)

    def target(self, function: str = "ours", **fields: Any) -> GlobusComputeTarget:
        row = {
            "cluster": "test",
            "framework": "vllm",
            "model": CHAT,
            "endpoint_uuid": self.endpoint_id,
            "function_uuid": self.functions[function],
            "api_port": int(self.framework.url.split(":")[2].split("/")[0]),
            "relay": function == "ours",
        }
        return GlobusComputeTarget(**{**row, **fields})

    async def arrange(self, method: str, *args: Any, **fields: Any) -> Any:
        """Call the cloud's admin, which blocks, beside the loop."""
        return await asyncio.to_thread(getattr(self.globus.admin, method), *args, **fields)


def sdk_environment(globus: GlobusCloud) -> dict[str, str]:
    credentials = {
        "GLOBUS_COMPUTE_CLIENT_ID": SERVICE_ACCOUNT_ID,
        "GLOBUS_COMPUTE_CLIENT_SECRET": SERVICE_ACCOUNT_SECRET,
    }
    return {**os.environ, **globus.environment(), **credentials}


def run_registration(
    folder: Path, environment: dict[str, str], script: str = "vllm_register_function.py"
) -> "subprocess.CompletedProcess[str]":
    """What the documented command does."""
    command = [sys.executable, str(FUNCTIONS / script)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="session")
def function_ids(globus_session: GlobusCloud, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("registration")
    done = run_registration(folder, sdk_environment(globus_session))
    assert done.returncode == 0, done.stderr
    ids = {"ours": (folder / UUID_FILE).read_text().strip()}
    scope = "https://auth.globus.org/scopes/facd7ccc-c5f4-42aa-916b-a0e270e2c2a9/all"
    token = globus_session.admin.issue_token(SERVICE_ACCOUNT_ID, scope)
    for name, source in (("field", FIELD_FUNCTION), ("odd", ODD_FUNCTION)):
        ids[name] = register_source(globus_session.url, token, f"{name}_function", source)
    return ids


def register_source(url: str, token: str, name: str, source: str) -> str:
    body = {"function_name": name, "function_code": source, "serialized": False, "meta": {}}
    headers = {"Authorization": f"Bearer {token}"}
    return str(requests.post(f"{url}/v3/functions", json=body, headers=headers, timeout=10).json()["function_uuid"])


@pytest.fixture(scope="session")
def endpoint_id(globus_session: GlobusCloud) -> str:
    return globus_session.admin.create_endpoint("cluster", SERVICE_ACCOUNT_ID)


@pytest.fixture
def framework() -> Iterator[Framework]:
    with running_framework() as server:
        yield server


@pytest.fixture
def cluster(globus: GlobusCloud, framework: Framework, endpoint_id: str, function_ids: dict[str, str]) -> Cluster:
    return Cluster(globus, framework, endpoint_id, function_ids)


@dataclass
class Gateway:
    """The parts of a gateway that a backend needs."""

    relay: Relay
    url: str
    state: MemoryState
    cluster: Cluster
    stack: AsyncExitStack
    posts: list[tuple[float, bytes]] = field(default_factory=list)

    async def start_backend(self, **settings: Any) -> GlobusComputeBackend:
        defaults = {"client_id": SERVICE_ACCOUNT_ID, "client_secret": SERVICE_ACCOUNT_SECRET}
        chosen = {**defaults, "service_url": self.cluster.globus.url, "interval_s": 0.01, **settings}
        backend = GlobusComputeBackend(
            GlobusComputeSettings(**chosen), self.relay, self.state, lambda: [self.cluster.target()]
        )
        backend.start()
        self.stack.push_async_callback(backend.aclose)
        return backend


@pytest.fixture
async def gateway(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateway]:
    for name, value in cluster.globus.environment().items():
        monkeypatch.setenv(name, value)
    state = MemoryState()
    async with AsyncExitStack() as stack:
        app = web.Application(client_max_size=2 << 20)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        posts: list[tuple[float, bytes]] = []

        async def ingest(request: web.Request) -> web.Response:
            body = await request.read()
            posts.append((time.monotonic(), body))
            ticket = request.headers.get("Authorization", "").removeprefix("Bearer ")
            reply = await relay.ingest(request.match_info["stream"], ticket, body)
            return web.Response(status=reply.status, body=reply.body, content_type="application/json")

        app.router.add_post(RELAY_PATH + "/{stream}", ingest)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        relay = await open_relay(state, url + RELAY_PATH, b"s" * 50, uuid.uuid4().hex)
        stack.push_async_callback(relay.aclose)
        yield Gateway(relay, url, state, cluster, stack, posts)


@pytest.fixture
async def backend(gateway: Gateway) -> GlobusComputeBackend:
    return await gateway.start_backend()


def build_call(target: GlobusComputeTarget, *, timeout_s: float = 20.0, **body: Any) -> Call:
    operation = body.pop("operation", Operation.CHAT_COMPLETIONS)
    document = {"model": target.model, "messages": [{"role": "user", "content": "Grüße"}], **body}
    return Call(
        request_id="req_" + uuid.uuid4().hex,
        target=target,
        operation=operation,
        body=json.dumps(document).encode(),
        stream=bool(body.get("stream")),
        deadline=time.monotonic() + timeout_s,
    )


async def read_all(upstream: Upstream) -> bytes:
    parts = []
    async with asyncio.timeout(20):
        while (data := await upstream.read(1.0)) != b"":
            parts.append(data or b"")
    return b"".join(parts)


async def wait_until(is_so: Callable[[], object], timeout_s: float = 5.0) -> float:
    """Seconds until it is so, looking at what other threads do."""
    began = time.monotonic()
    async with asyncio.timeout(timeout_s):
        while not is_so():  # noqa: ASYNC110 - other threads set no events of ours
            await asyncio.sleep(0.01)
    return time.monotonic() - began


Ask = Callable[..., Any]


@pytest.fixture
def ask(backend: GlobusComputeBackend, cluster: Cluster) -> Ask:
    """Open a call, read its answer to the end, close it: status, headers, body."""

    async def call(function: str = "ours", *, target: dict[str, Any] | None = None, **body: Any) -> tuple[Any, ...]:
        upstream = await backend.open(build_call(cluster.target(function, **(target or {})), **body))
        try:
            return upstream.status, upstream.headers, await read_all(upstream)
        finally:
            await upstream.aclose()

    return call
