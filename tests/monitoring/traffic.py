"""Requests that make every series of the gateway exist: those that succeed, and those that fail in each way."""

import json
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import requests

from tests.gateway import GatewayServer, federated
from tests.personas import PREMIUM_GROUP_ID

FAST, NARROW, SAVED, COMPUTE = "org/fast", "org/narrow", "org/saved", "org/compute"
BREAKING, DEAD, PREMIUM = "fault/error-event", "fault/refuse", "org/premium"
COLD = [f"org/cold-{number}" for number in range(16)]
"""Two for each round: one is started ahead, the other by a request that is held meanwhile."""
STATES = ("cold", "queued", "starting", "maintenance", "offline")
COLD_START_S, IDLE_STOP_S = 0.7, 3.0
"""Between two looks of the gateway: its own call is the first to know that the model has started."""
_SOME_ID = "7e570000-0000-4000-8000-00000000e002"


def simulated(model: str, cluster: str = "polaris", **fields: Any) -> dict[str, Any]:
    return {"backend": "simulated", "cluster": cluster, "framework": "vllm", "model": model, **fields}


def build_report(*models: str) -> dict[str, Any]:
    """What the status function of the cluster `polaris` has said: these models run."""
    entry = {"Models": ",".join(models), "Framework": "vllm", "Cluster": "polaris", "Model Status": "running"}
    others: dict[str, Any] = {key: [] for key in ("queued", "others", "private-batch-running", "private-batch-queued")}
    return {"running": [{**entry, "Job ID": "1.polaris"}], **others, "cluster_status": {"free_nodes": 7}}


def build_rows(endpoint_id: str) -> list[dict[str, Any]]:
    """The catalogue. `endpoint_id` is a compute endpoint that is online; the function that it shall run is unknown."""
    asked = {"status_endpoint_uuid": _SOME_ID, "status_function_uuid": _SOME_ID}
    report = json.dumps(build_report(FAST, NARROW, SAVED, BREAKING))
    compute = {"cluster": "sophia", "framework": "vllm", "model": COMPUTE}
    targets = {
        FAST: [simulated(FAST), simulated(FAST, "aurora")],
        NARROW: [simulated(NARROW, max_concurrency=1, token_interval_ms=40, output_tokens=20)],
        SAVED: [simulated("fault/502", "aurora"), simulated(SAVED)],
        BREAKING: [simulated(BREAKING)],
        DEAD: [simulated(DEAD, "aurora")],
        PREMIUM: [simulated(PREMIUM, "sophia", allowed_globus_groups=f"premium:{PREMIUM_GROUP_ID}")],
        COMPUTE: [{**compute, "endpoint_uuid": endpoint_id, "function_uuid": _SOME_ID}],
        **{model: [simulated(model, "aurora", cold_start_s=COLD_START_S, idle_stop_s=IDLE_STOP_S)] for model in COLD},
        **{f"fault/{state}": [simulated(f"fault/{state}", "aurora")] for state in STATES},
    }
    return [
        {"model": "resource_server.cluster", "pk": 1, "fields": {"name": "polaris", **asked}},
        {
            "model": "resource_server.clusterstatus",
            "pk": 1,
            "fields": {"cluster": "polaris", "report": report, "as_of": time.time()},
        },
        *(federated(pk, model, *places) for pk, (model, places) in enumerate(targets.items(), 1)),
    ]


class Traffic:
    """Clients of one gateway."""

    def __init__(self, gateway: GatewayServer, tokens: Sequence[str]) -> None:
        self._base_url = gateway.base_url
        self._tokens = list(tokens)
        self._rounds = 0

    def run_round(self) -> None:
        """Some seconds of it: everything once, most of it at the same time."""
        ahead, held = (COLD[(2 * self._rounds + number) % len(COLD)] for number in (0, 1))
        self._rounds += 1
        with ThreadPoolExecutor(12) as clients:
            waiting = [clients.submit(self.ask, NARROW, stream=True) for _ in range(3)]
            waiting += [clients.submit(self.ask, FAST, stream=number % 2 == 0, caller=number) for number in range(6)]
            waiting += [clients.submit(self.ask, model) for model in (SAVED, BREAKING, PREMIUM, "org/unknown", COMPUTE)]
            waiting += [clients.submit(self.ask, BREAKING, stream=True), clients.submit(self.ask, held, stream=True)]
            waiting.append(clients.submit(self.warm, ahead))
            waiting += [clients.submit(self.ask, DEAD) for _ in range(6)]
            waiting += [clients.submit(self.embed), clients.submit(self.leave), clients.submit(self.intrude)]
            for one in waiting:
                one.result()

    def ask(self, model: str, *, stream: bool = False, caller: int = 0, timeout_s: float = 30) -> None:
        """One chat; whatever comes back is fine."""
        body = {"model": model, "messages": [{"role": "user", "content": "tell me of it"}], "stream": stream}
        body |= {"stream_options": {"include_usage": True}} if stream else {}
        with suppress(requests.RequestException):
            self._post("chat/completions", body, caller, timeout_s=timeout_s).close()

    def embed(self) -> None:
        with suppress(requests.RequestException):
            self._post("embeddings", {"model": FAST, "input": "a word"}, 0)

    def warm(self, model: str) -> None:
        with suppress(requests.RequestException):
            self._post(f"models/{model}/warm", {}, 0)

    def leave(self) -> None:
        """Read the beginning of a stream, and go."""
        body = {"model": NARROW, "messages": [{"role": "user", "content": "x"}], "stream": True}
        headers = {"Authorization": f"Bearer {self._tokens[0]}"}
        url = f"{self._base_url}/v1/chat/completions"
        with (
            suppress(requests.RequestException),
            requests.post(url, json=body, headers=headers, stream=True, timeout=30) as response,
        ):
            next(response.iter_lines(), None)

    def intrude(self) -> None:
        """Come with a token that nobody has seen before."""
        with suppress(requests.RequestException):
            requests.post(
                f"{self._base_url}/v1/chat/completions",
                json={"model": FAST, "messages": []},
                headers={"Authorization": f"Bearer {uuid.uuid4().hex}"},
                timeout=30,
            )

    def _post(self, route: str, body: dict[str, Any], caller: int, *, timeout_s: float = 30) -> requests.Response:
        token = self._tokens[caller % len(self._tokens)]
        headers = {"Authorization": f"Bearer {token}"}
        return requests.post(f"{self._base_url}/v1/{route}", json=body, headers=headers, timeout=timeout_s)
