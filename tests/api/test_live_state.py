"""States, jobs and status through HTTP, on a gateway all of whose backends are down: everything comes from memory."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from resource_server.domain.states import ModelState
from tests.api.test_failures import wait_until
from tests.gateway import GatewayServer, build_environment, federated, http_target
from tests.globus_cloud import GlobusCloud
from tests.personas import ALICE, BOB, PERSONAS, PREMIUM_GROUP_ID

DEAD_URL = "http://127.0.0.1:9/v1"
OPEN, LOADING, PREMIUM = "org/open", "org/loading", "org/premium"
WORDS = [state.value for state in ModelState]
STATUS_UUID = "7e570000-0000-4000-8000-00000000e001"
LISTS = ("running", "queued", "others", "private-batch-running", "private-batch-queued")


def entry(models: str, status: str, **fields: str) -> dict[str, str]:
    return {"Models": models, "Framework": "vllm", "Cluster": "aurora", "Model Status": status, **fields}


REPORT: dict[str, Any] = {
    "running": [
        entry(f"{OPEN},{PREMIUM}", "running", **{"Job ID": "1.open", "Walltime Left": "01:00:00"}),
        entry(LOADING, "starting", **{"Job ID": "2.loading"}),
        entry(PREMIUM, "running", **{"Job ID": "3.premium"}),
    ],
    "queued": [],
    "others": [],
    "private-batch-running": [
        entry(OPEN, "running", **{"Job ID": "4.alice", "Batch ID": "b1", "Username": ALICE.username}),
        entry(OPEN, "running", **{"Job ID": "5.bob", "Batch ID": "b2", "Username": BOB.username}),
    ],
    "private-batch-queued": [],
    "cluster_status": {"free_nodes": 7},
}


def build_rows() -> list[dict[str, Any]]:
    def row(kind: str, pk: int, **fields: Any) -> dict[str, Any]:
        return {"model": f"resource_server.{kind}", "pk": pk, "fields": fields}

    asked = {"status_endpoint_uuid": STATUS_UUID, "status_function_uuid": STATUS_UUID}
    group = f"premium:{PREMIUM_GROUP_ID}"
    premium = {"cluster": "aurora", "allowed_globus_groups": group}
    simulated = {"backend": "simulated", "cluster": "sim", "framework": "vllm"}
    return [
        *(
            federated(10 + pk, f"fault/{word}", {**simulated, "model": f"fault/{word}"})
            for pk, word in enumerate(WORDS)
        ),
        row("cluster", 1, name="aurora", **asked),
        row("cluster", 2, name="vault", allowed_globus_groups=group),
        row("clusterstatus", 1, cluster="aurora", report=json.dumps(REPORT), as_of=time.time()),
        federated(1, OPEN, http_target(OPEN, DEAD_URL), http_target(OPEN, DEAD_URL, cluster="aurora")),
        federated(2, LOADING, http_target(LOADING, DEAD_URL, cluster="aurora")),
        federated(3, PREMIUM, http_target(PREMIUM, DEAD_URL, **premium)),
        federated(4, "org/vaulted", http_target("org/vaulted", DEAD_URL, cluster="vault")),
    ]


class Live:
    """The gateway, asked as one of the personas."""

    def __init__(self, gateway: GatewayServer, tokens: dict[str, str]) -> None:
        self.gateway = gateway
        self._tokens = tokens

    def get(self, path: str, persona: str = "") -> requests.Response:
        headers = {"Authorization": f"Bearer {self._tokens[persona]}"} if persona else {}
        return requests.get(self.gateway.base_url + path, headers=headers, timeout=20)

    def ask(self, model: str, persona: str) -> requests.Response:
        body = {"model": model, "messages": [{"role": "user", "content": "x"}], "max_tokens": 4}
        headers = {"Authorization": f"Bearer {self._tokens[persona]}", "x-stainless-read-timeout": "2"}
        return requests.post(f"{self.gateway.base_url}/v1/chat/completions", json=body, headers=headers, timeout=20)

    def read(self, path: str, persona: str = "") -> Any:
        response = self.get(path, persona)
        assert response.status_code == 200, response.text
        return response.json()


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, globus_session: GlobusCloud) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("live")
    gateway = GatewayServer(folder, build_environment(globus_session, folder))
    gateway.manage("migrate", "-v0")
    gateway.load(build_rows())
    tokens = {persona.name: globus_session.issue_token(persona) for persona in PERSONAS}
    with gateway:
        yield Live(gateway, tokens)


ROUTES = {
    "/v1/models": (200, 200, 403, 200, 401),
    "/list-endpoints-detailed": (200, 200, 403, 200, 401),
    "/aurora/jobs": (200, 200, 403, 200, 401),
    "/polaris/jobs": (200, 200, 403, 200, 401),
    "/vault/jobs": (200, 404, 403, 404, 401),
    "/nowhere/jobs": (404, 404, 403, 404, 401),
    f"/aurora/vllm/{OPEN}/status": (200, 200, 403, 200, 401),
    f"/aurora/vllm/{PREMIUM}/status": (200, 404, 403, 404, 401),
    "/vault/vllm/org/vaulted/status": (200, 404, 403, 404, 401),
    "/vault/vllm/org/nothing/status": (404, 404, 403, 404, 401),
}


@pytest.mark.parametrize("path", ROUTES)
def test_personas_get_what_their_rules_say(live: Live, path: str) -> None:
    callers = ("alice", "bob", "charlie", "robot", "")
    responses = [live.get(path, caller) for caller in callers]
    assert tuple(response.status_code for response in responses) == ROUTES[path]
    assert all("error" in response.json() for response in responses if response.status_code != 200)


def test_models_carry_state_eta_and_age(live: Live) -> None:
    models = {model["id"]: model for model in live.read("/v1/models", "bob")["data"]}
    assert models.keys() == {OPEN, LOADING, *(f"fault/{word}" for word in WORDS)}
    assert (models[OPEN]["status"], models[LOADING]["status"]) == ("hot", "starting")
    assert models[LOADING]["eta_s"] is None
    assert abs(models[LOADING]["as_of"] - time.time()) < 300


def test_detailed_endpoints_have_the_shape_of_the_plain_ones(live: Live) -> None:
    plain, detailed = (live.read(path, "alice") for path in ("/list-endpoints", "/list-endpoints-detailed"))
    for cluster in detailed["clusters"].values():
        for framework in cluster["frameworks"].values():
            assert all(entry.keys() == {"name", "endpoint_status", "model_status"} for entry in framework["models"])
            framework["models"] = [entry["name"] for entry in framework["models"]]
    assert detailed == plain


def test_jobs_show_each_caller_their_own(live: Live) -> None:
    def ids(persona: str) -> dict[str, list[str]]:
        document = live.read("/aurora/jobs", persona)
        assert document["cluster_status"] == {"free_nodes": 7}
        return {kind: [job["Job ID"] for job in document[kind]] for kind in LISTS if document[kind]}

    own = "private-batch-running"
    assert ids("alice") == {"running": ["1.open", "2.loading", "3.premium"], own: ["4.alice"]}
    assert ids("bob") == {"running": ["1.open", "2.loading"], own: ["5.bob"]}
    assert ids("robot") == {"running": ["1.open", "2.loading"]}
    assert PREMIUM not in live.get("/aurora/jobs", "bob").text


def test_cluster_without_a_status_function_has_empty_jobs(live: Live) -> None:
    document = live.read("/polaris/jobs/", "bob")
    assert document.keys() == {*LISTS, "cluster_status", "as_of"}
    assert not any(document[kind] for kind in LISTS)


@pytest.mark.parametrize("path", ["org/open/status", "org%2Fopen/status", "org/open/status/"])
def test_status_takes_model_ids_raw_and_encoded(live: Live, path: str) -> None:
    document = live.read(f"/aurora/vllm/{path}", "bob")
    assert abs(document.pop("as_of") - time.time()) < 300
    assert 3000 < document.pop("walltime_left_s") <= 3600
    key = {"cluster": "aurora", "framework": "vllm", "model": OPEN}
    assert document == {**key, "status": "hot", "eta_s": None, "free_nodes": 7}


def test_status_of_hidden_and_unknown_models_reads_the_same(live: Live) -> None:
    hidden, unknown = (live.get(f"/aurora/vllm/{name}/status", "bob").json() for name in (PREMIUM, "org/none"))
    assert hidden["error"]["code"] == "model_not_found"
    assert json.dumps(hidden).replace(PREMIUM, "X") == json.dumps(unknown).replace("org/none", "X")


def test_public_status_needs_no_token_and_names_nothing_restricted(live: Live) -> None:
    clusters = live.read("/status")["clusters"]
    counts = dict.fromkeys(WORDS, 0)
    assert clusters["aurora"]["models"] == {**counts, "hot": 1, "starting": 1}
    assert clusters["polaris"] == {"models": {**counts, "hot": 1}, "maintenance": None, "as_of": None}
    assert clusters.keys() == {"aurora", "polaris", "sim"}
    assert "premium" not in live.get("/status").text


def test_fixed_routes_win_over_cluster_patterns(live: Live) -> None:
    assert live.get("/v1/models/org/status", "alice").json()["error"]["param"] == "model"
    assert live.get("/relay/jobs", "alice").status_code == 405
    assert live.get("/v1/jobs", "alice").status_code == 404


@pytest.mark.parametrize("word", WORDS)
def test_state_is_the_same_word_in_lists_routes_headers_and_metrics(live: Live, word: str) -> None:
    model = f"fault/{word}"
    listed = {entry["id"]: entry["status"] for entry in live.read("/v1/models", "bob")["data"]}
    tree = live.read("/list-endpoints-detailed", "bob")["clusters"]["sim"]["frameworks"]["vllm"]["models"]
    detailed = {entry["name"]: (entry["model_status"], entry["endpoint_status"]) for entry in tree}
    assert listed[model] == live.read(f"/sim/vllm/{model}/status", "bob")["status"] == word
    assert detailed[model] == (word, "offline" if word in {"offline", "maintenance"} else "online")
    assert live.read("/status")["clusters"]["sim"]["models"] == dict.fromkeys(WORDS, 1)
    labels = f'cluster="sim",framework="vllm",model="{model}"'
    samples = [line for line in live.get("/metrics").text.splitlines() if f"gateway_model_state{{{labels}," in line]
    assert samples == [f'gateway_model_state{{{labels},state="{word}"}} 1.0']
    answer = live.ask(model, "bob")
    if word in {"offline", "maintenance"}:
        assert answer.json()["error"]["code"] == {"offline": "model_offline"}.get(word, word)
    else:
        assert answer.headers["x-model-state"] == word
        assert answer.headers["x-gateway-route-reason"].startswith(word)


def test_held_request_and_the_job_that_it_waits_for_name_the_same_state(live: Live) -> None:
    answer = live.ask(LOADING, "bob")
    jobs = {job["Job ID"]: job["Model Status"] for job in live.read("/aurora/jobs", "bob")["running"]}
    status = live.read(f"/aurora/vllm/{LOADING}/status", "bob")["status"]
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_loading")
    assert answer.headers["x-model-state"] == jobs["2.loading"] == status == "starting"
    assert jobs["1.open"] == "hot"


def test_metrics_tell_the_age_of_reports(live: Live) -> None:
    lines = live.get("/metrics").text.splitlines()
    (age,) = [line for line in lines if line.startswith("gateway_cluster_report_age_seconds{")]
    assert age.startswith('gateway_cluster_report_age_seconds{cluster="aurora"} ')
    assert 0 < float(age.split()[-1]) < 600


def test_maintenance_from_the_command_line_reaches_a_running_gateway(live: Live) -> None:
    def is_in(word: str) -> bool:
        return bool(live.read("/vault/vllm/org/vaulted/status", "alice")["status"] == word)

    live.gateway.manage("maintenance", "vault", "--until", "2099-01-01", "--notice", "New racks.")
    assert wait_until(lambda: is_in("maintenance"), 10)
    error = live.ask("org/vaulted", "alice").json()["error"]
    assert (error["code"], error["message"]) == ("maintenance", "New racks. It ends at 2099-01-01T00:00:00+00:00.")
    assert "racks" not in live.get("/status").text
    live.gateway.manage("maintenance", "vault", "--end")
    assert wait_until(lambda: is_in("hot"), 10)
