"""The demo's parts that need no other process."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import catalogue, layout
from demo.cli import read_port
from demo.environment import build_environ
from demo.errors import DemoError
from demo.gateway import build_gateway_environ
from demo.locking import exclusive
from demo.personas import ENDPOINT_ID, PREMIUM_GROUP_ID
from demo.ports import pick_free_port, wait_for_free_port
from demo.state import State, write_state
from inference_gateway.environment import Environment
from resource_server.domain.targets import GlobusComputeTarget, SimulatedTarget, Target, parse_target

FUNCTION_ID = "1de30000-0000-4000-8000-00000000f001"


def targets(rows: catalogue.Rows) -> list[Target]:
    return [parse_target(target) for row in rows for target in row["fields"].get("targets", [])]


@pytest.fixture
def rows() -> catalogue.Rows:
    return catalogue.read_rows(layout.SHIPPED_CATALOGUE)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_shipped_catalogue_has_an_open_a_premium_and_an_embedding_model(rows: catalogue.Rows) -> None:
    by_model = {target.model: target for target in targets(rows)}
    models = catalogue.find_models(rows)
    assert set(models.ids()) == set(by_model)
    assert by_model[models.chat].allowed_globus_groups == ()
    assert by_model[models.premium].allowed_globus_groups == (PREMIUM_GROUP_ID,)
    assert by_model[models.embedding].operations == ("embeddings",)


def test_catalogue_of_a_run_has_its_ids_and_ports(rows: catalogue.Rows) -> None:
    models = catalogue.find_models(rows)
    ports = {model: 9000 + index for index, model in enumerate(models.ids())}
    filled = targets(catalogue.with_compute(rows, endpoint_id=ENDPOINT_ID, function_id=FUNCTION_ID, ports=ports))
    assert len(filled) == 3
    for target in filled:
        assert isinstance(target, GlobusComputeTarget)
        assert (target.endpoint_uuid, target.function_uuid) == (ENDPOINT_ID, FUNCTION_ID)
        assert target.api_port == ports[target.model]
        assert target.relay


def test_simulated_catalogue_keeps_models_and_rules(rows: catalogue.Rows) -> None:
    simulated = targets(catalogue.with_simulation(rows))
    assert all(isinstance(target, SimulatedTarget) for target in simulated)
    rules = [(target.model, target.allowed_globus_groups, target.operations) for target in targets(rows)]
    assert [(target.model, target.allowed_globus_groups, target.operations) for target in simulated] == rules


@pytest.mark.parametrize(("text", "port"), [("", 8000), ("8010", 8010), ("1", 1), ("65535", 65535)])
def test_port_is_read_from_the_environment(text: str, port: int) -> None:
    assert read_port(text) == port


@pytest.mark.parametrize("text", ["0", "65536", "-1", "8000 ", "http", "²"])
def test_port_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(DemoError, match="DEMO_PORT"):
        read_port(text)


def test_taken_port_names_a_way_out(taken_port: int) -> None:
    with pytest.raises(DemoError, match=f"Port {taken_port} is taken.*DEMO_PORT=[0-9]+ make demo"):
        wait_for_free_port(taken_port, 0.1)


def test_free_port_is_not_waited_for() -> None:
    wait_for_free_port(pick_free_port(), 0.0)


def test_second_demo_in_a_folder_is_refused(tmp_path: Path) -> None:
    with exclusive(tmp_path / "lock"), pytest.raises(DemoError, match="already"), exclusive(tmp_path / "lock"):
        pass
    with exclusive(tmp_path / "lock"):
        pass


def test_state_file_is_whole_and_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    state = State("http://a", "http://b", "http://c", 1, {"alice": "token"}, ["model"])
    for _ in range(2):
        write_state(state, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "base_url": "http://a",
        "globus_url": "http://b",
        "metrics_url": "http://c",
        "pid": 1,
        "tokens": {"alice": "token"},
        "models": ["model"],
    }
    assert list(tmp_path.iterdir()) == [path]


def test_gateway_ignores_settings_for_a_real_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db.example.org")
    monkeypatch.setenv("GLOBUS_GROUPS", FUNCTION_ID)
    monkeypatch.setenv("POLARIS_ENDPOINT_ID", FUNCTION_ID)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org:3128")
    environment = Environment(build_gateway_environ(8010, {"SERVICE_ACCOUNT_ID": ENDPOINT_ID}))
    assert environment.text("PGHOST") == ""
    assert environment.items("GLOBUS_GROUPS") == ()
    assert environment.text("SERVICE_ACCOUNT_ID") == ENDPOINT_ID
    assert environment.text("RELAY_BASE_URL") == "http://127.0.0.1:8010/resource_server/relay"


def test_children_have_a_home_without_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setenv("GLOBUS_COMPUTE_CLIENT_SECRET", "the user's own")
    environ = build_environ({"GLOBUS_COMPUTE_CLIENT_ID": "demo"})
    assert environ["HOME"] == str(layout.HOME)
    assert "GLOBUS_COMPUTE_CLIENT_SECRET" not in environ
    assert environ["GLOBUS_COMPUTE_CLIENT_ID"] == "demo"
    assert "127.0.0.1" in environ["NO_PROXY"]
