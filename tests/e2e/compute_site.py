"""A gateway whose models stand behind Globus Compute: catalogue rows, registered functions, a framework."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import requests

from tests.framework import CHAT, LONG, MODELS, SILENT, STALLING, Framework, running_framework
from tests.gateway import GatewayServer, build_environment, federated
from tests.globus_cloud import GlobusCloud
from tests.integration.globus_compute.conftest import (
    FIELD_FUNCTION,
    UUID_FILE,
    register_source,
    run_registration,
    sdk_environment,
)
from tests.personas import ALICE, SERVICE_ACCOUNT_ID
from tests.servers.process import find_free_port

COMPUTE_SCOPE = "https://auth.globus.org/scopes/facd7ccc-c5f4-42aa-916b-a0e270e2c2a9/all"
FIELD = "field/chat"
"""A function that knows nothing of the relay."""
FIELD_FAILING = "field/failing"
NO_JSON = "field/no-json"
OLD = "old/chat"
"""A compute endpoint that pickles its results."""
PUPPET = "puppet/chat"
"""A function that tells the framework its relay address and leaves the answer to the test."""
DEAD = "dead/chat"
"""No framework listens."""
OFFLINE = "offline/chat"
SKIPPING = "offline/elsewhere"
"""Offline first, then two targets that work."""
KILLER = "killer/chat"
"""A function that ends its worker process."""
IMPATIENT = "test/impatient"
"""The framework says nothing, and the target's deadline is short."""
LATE = "late/chat"
"""A function that begins long after anybody believes in it; then a target that works."""
RELAYED = tuple(f"{LONG}-{number}" for number in range(16))
RETURNED = tuple(f"{LONG}-{number}" for number in range(16, 24))
"""As `RELAYED`, through a function without relay."""

SENTENCE = "The quick brown fox"
MESSAGES: Any = [{"role": "user", "content": "Grüße"}]

OLD_FUNCTION = '''
import os
from globus_compute_sdk.serialize import ComputeSerializer, DillDataBase64

class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)

def old_function(parameters):
    """Its endpoint pickles results whatever was asked for, as those before 3.6 do."""
    ComputeSerializer.serialize_from_list = lambda serializer, value, names: DillDataBase64().serialize(value)
    return Trap(parameters["model_params"]["trap"])
'''
NO_JSON_FUNCTION = """
def no_json_function(parameters):
    return "The answer is: yes"
"""
PUPPET_FUNCTION = '''
import json, urllib.request

def puppet_function(parameters):
    """Says nothing about the call itself."""
    url = f"http://127.0.0.1:{parameters['model_params']['api_port']}/v1/completions"
    body = json.dumps({"model": "puppet", "relay": parameters["relay"]}).encode()
    urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"})).close()
    return json.dumps({"gateway_result": 1, "error": {"code": "stream_gone", "message": "left to others"}})
'''
KILLER_FUNCTION = """
import os

def killer_function(parameters):
    os._exit(1)
"""
LATE_FUNCTION = '''
import json, time, urllib.error, urllib.request

def late_function(parameters):
    """Waits, posts that it has begun, and tells the framework what the relay said to that."""
    time.sleep(parameters["model_params"].get("late_s", 4))
    relay = parameters["relay"]
    headers = {"Authorization": "Bearer " + relay["ticket"], "Content-Type": "application/json"}
    started = json.dumps({"attempt": "a" * 32, "seq": 0}).encode()
    try:
        status = urllib.request.urlopen(urllib.request.Request(relay["url"], started, headers)).status
    except urllib.error.HTTPError as error:
        status = error.code
    url = f"http://127.0.0.1:{parameters['model_params']['api_port']}/v1/completions"
    body = json.dumps({"model": "late", "relay_said": status}).encode()
    urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"})).close()
    return json.dumps({"gateway_result": 1, "error": {"code": "stream_gone", "message": "too late"}})
'''
SOURCES = {
    "field_function": FIELD_FUNCTION,
    "old_function": OLD_FUNCTION,
    "no_json_function": NO_JSON_FUNCTION,
    "puppet_function": PUPPET_FUNCTION,
    "killer_function": KILLER_FUNCTION,
    "late_function": LATE_FUNCTION,
}


Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Functions:
    """UUIDs of registered functions: the shipped one, and by name those of `SOURCES`."""

    shipped: str
    others: dict[str, str]


@dataclass(frozen=True)
class Endpoints:
    """UUIDs of compute endpoints: one that works, one that pickles, one that no agent runs."""

    working: str
    old: str
    absent: str


@dataclass(frozen=True)
class Answer:
    """An HTTP answer that is complete."""

    status_code: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def content(self) -> str:
        """What the assistant says in it."""
        return str(self.json()["choices"][0]["message"]["content"])


@dataclass(frozen=True)
class Site:
    """A running gateway, what stands behind it, and alice."""

    gateway: GatewayServer
    framework: Framework
    globus: GlobusCloud
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def open_client(self) -> openai.OpenAI:
        """The official client; without retries, so that a test sees the first answer."""
        base_url = f"{self.gateway.base_url}/v1"
        return openai.OpenAI(base_url=base_url, api_key=self.token, max_retries=0, timeout=30)

    def ask(self, model: str, *, timeout_s: float = 30, **body: Any) -> Answer:
        """Ask for a chat completion by plain HTTP. Raises `TimeoutError` after `timeout_s`, heartbeats or not."""
        until = time.monotonic() + timeout_s
        parts = []
        with self.open_stream(model, timeout_s=timeout_s, **body) as response:
            for part in response.iter_content(None):
                parts.append(part)
                if time.monotonic() > until:
                    raise TimeoutError(f"{model} did not finish its answer")
        return Answer(response.status_code, response.headers, b"".join(parts).decode())

    def open_stream(self, model: str, *, timeout_s: float = 30, **body: Any) -> requests.Response:
        """The same, to be read by the test; `timeout_s` bounds the silence."""
        url = f"{self.gateway.base_url}/v1/chat/completions"
        document = {"model": model, "messages": MESSAGES, **body}
        return requests.post(url, json=document, headers=self.headers, stream=True, timeout=timeout_s)


def register_functions(globus: GlobusCloud, folder: Path) -> Functions:
    """The shipped function and the tests' own."""
    shipped = register_shipped_function(globus, folder)
    token = globus.admin.issue_token(SERVICE_ACCOUNT_ID, COMPUTE_SCOPE)
    others = {name: register_source(globus.url, token, name, source) for name, source in SOURCES.items()}
    return Functions(shipped, others)


def register_shipped_function(globus: GlobusCloud, folder: Path) -> str:
    """Run the shipped script as the documentation says; the function's UUID."""
    done = run_registration(folder, sdk_environment(globus))
    assert done.returncode == 0, done.stderr
    return (folder / UUID_FILE).read_text().strip()


def create_endpoints(globus: GlobusCloud) -> Endpoints:
    """Have the compute endpoints started; they come online meanwhile."""
    working = globus.admin.create_endpoint("working", SERVICE_ACCOUNT_ID, concurrency=16)
    old = globus.admin.create_endpoint("old", SERVICE_ACCOUNT_ID, concurrency=1)
    headers = {"Authorization": f"Bearer {globus.admin.issue_token(SERVICE_ACCOUNT_ID, COMPUTE_SCOPE)}"}
    url = f"{globus.url}/v3/endpoints"
    registration = requests.post(url, json={"endpoint_name": "absent"}, headers=headers, timeout=10).json()
    return Endpoints(working, old, registration["endpoint_id"])


def wait_online(globus: GlobusCloud, *endpoint_ids: str) -> None:
    """Return when the service calls all of them online."""
    headers = {"Authorization": f"Bearer {globus.admin.issue_token(SERVICE_ACCOUNT_ID, COMPUTE_SCOPE)}"}

    def is_online(endpoint_id: str) -> bool:
        url = f"{globus.url}/v2/endpoints/{endpoint_id}/status"
        return bool(requests.get(url, headers=headers, timeout=10).json()["status"] == "online")

    assert wait_until(lambda: all(map(is_online, endpoint_ids)), 30)


def build_target(framework: Framework, model: str, **fields: Any) -> dict[str, Any]:
    """A target whose function relays what `framework` says."""
    port = int(framework.url.split(":")[2].split("/")[0])
    return {"framework": "vllm", "model": model, "api_port": port, "relay": True, **fields}


def build_rows(framework: Framework, functions: Functions, endpoints: Endpoints) -> Rows:
    """A federated endpoint per behaviour of the framework, and some that fail before it or around it."""

    def shipped(model: str, cluster: str = "test", **fields: Any) -> dict[str, Any]:
        place = {"cluster": cluster, "endpoint_uuid": endpoints.working, "function_uuid": functions.shipped}
        return build_target(framework, model, **{**place, **fields})

    def other(name: str, model: str, cluster: str, **fields: Any) -> dict[str, Any]:
        return shipped(model, cluster, **{"relay": False, "function_uuid": functions.others[name], **fields})

    absent = shipped("x", "absent", endpoint_uuid=endpoints.absent)
    models: dict[str, list[dict[str, Any]]] = {
        **{model: [shipped(model, idle_timeout_s=2.0 if model == STALLING else 120.0)] for model in MODELS},
        **{model: [shipped(model)] for model in RELAYED},
        **{model: [other("field_function", model, "field")] for model in RETURNED},
        FIELD: [other("field_function", CHAT, "field")],
        FIELD_FAILING: [other("field_function", "test/failing", "field")],
        NO_JSON: [other("no_json_function", "y", "field")],
        OLD: [other("old_function", "z", "old", endpoint_uuid=endpoints.old)],
        PUPPET: [other("puppet_function", "p", "puppet", relay=True)],
        KILLER: [other("killer_function", "k", "killer")],
        IMPATIENT: [shipped(SILENT, "impatient", timeout_s=2.0)],
        DEAD: [shipped("d", "dead", api_port=find_free_port())],
        OFFLINE: [absent],
        LATE: [other("late_function", "l", "late", relay=True), shipped(CHAT, "punctual")],
        SKIPPING: [absent, shipped(CHAT), shipped(CHAT, "spare")],
    }
    return [federated(pk, model, *targets) for pk, (model, targets) in enumerate(models.items(), 1)]


@contextmanager
def running_site(globus: GlobusCloud, gateway: GatewayServer, build: Callable[[Framework], Rows]) -> Iterator[Site]:
    """`gateway`, started, with a framework of its own and the rows that `build` makes for it."""
    with running_framework() as framework:
        gateway.manage("migrate", "-v0")
        gateway.load(build(framework))
        with gateway:
            yield Site(gateway, framework, globus, globus.issue_token(ALICE))


def build_gateway(globus: GlobusCloud, folder: Path, **variables: str) -> GatewayServer:
    """A gateway that may call Globus Compute as often as it likes."""
    environment = build_environment(globus, folder, GLOBUS_COMPUTE_INTERVAL_S="0.01", **variables)
    return GatewayServer(folder, environment)


def find_status(site: Site, model: str) -> str:
    """What the list of models says of one of them."""
    url = f"{site.gateway.base_url}/v1/models/{model}"
    return str(requests.get(url, headers=site.headers, timeout=10).json()["status"])


def wait_until(condition: Callable[[], object], seconds: float) -> bool:
    """Whether `condition` came true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False
