import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from globus_local.admin_client import Admin
from globus_local.app import build_app
from globus_local.cli import main
from globus_local.cloud import Cloud, Settings
from globus_local.embedded import running
from globus_local.loopback import NotLoopbackError
from globus_local.seed import load_seed

from .conftest import SEED

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "globus_local"]


@contextmanager
def served(folder: Path, *options: str) -> Iterator[tuple["subprocess.Popen[str]", dict[str, Any]]]:
    """`globus_local serve` in a process of its own, and what it wrote into the state file."""
    state_file = folder / "state.json"
    command = [*COMMAND, "serve", "--state-file", str(state_file), *options]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            deadline = time.monotonic() + 20
            while not state_file.exists() and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
            yield process, json.loads(state_file.read_text())
        finally:
            process.kill()


def test_serve_writes_a_private_state_file_that_works(tmp_path: Path) -> None:
    seed = tmp_path / "seed.json"
    seed.write_text(json.dumps(SEED))
    with served(tmp_path, "--seed", str(seed)) as (process, state):
        assert set(state) == {
            "url",
            "auth_url",
            "groups_url",
            "compute_url",
            "amqp_url",
            "admin_token",
            "pid",
        }
        assert state["pid"] == process.pid
        assert state["amqp_url"].startswith("amqp://")
        assert stat.S_IMODE((tmp_path / "state.json").stat().st_mode) == 0o600
        records = Admin.from_state_file(tmp_path / "state.json").call("GET", "records")
        assert [each["name"] for each in records["groups"]] == ["premium"]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_serve_ends_at_once_and_tidies_up(tmp_path: Path, signum: signal.Signals) -> None:
    with served(tmp_path) as (process, state):
        os.kill(state["pid"], signum)
        out, err = process.communicate(timeout=5)

    assert (process.returncode, err) == (0, "")
    assert state["admin_token"] not in out
    assert not (tmp_path / "state.json").exists()


def test_env_prints_what_leads_the_sdks_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state_file = tmp_path / "state.json"
    state_file.write_text(json.dumps({"url": "http://127.0.0.1:1234"}))

    assert main(["env", "--state-file", str(state_file)]) == 0

    lines = dict(re.findall(r"export (\w+)=(.*)", capsys.readouterr().out))
    assert lines["GLOBUS_SDK_ENVIRONMENT"] == "local"
    assert lines["GLOBUS_SDK_SERVICE_URL_AUTH"] == lines["GLOBUS_COMPUTE_SERVICE_URL"] == "http://127.0.0.1:1234"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])  # noqa: S104  (must be refused)
def test_serve_refuses_addresses_that_others_can_reach(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--host", host]) == 2
    assert "loopback addresses only" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ('{"people": []}', "Unknown kind of record"),
        ('{"identities": [{"username": "a"}]}', "name@domain"),
        ("[]", "must be a JSON object"),
        ('{"groups": {}}', "groups must be a list of objects"),
        ('{"groups": ["x"]}', "groups must be a list of objects"),
    ],
)
def test_serve_refuses_a_wrong_seed_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, message: str
) -> None:
    seed = tmp_path / "seed.json"
    seed.write_text(content)

    assert main(["serve", "--seed", str(seed)]) == 2
    assert message in capsys.readouterr().err


def test_serve_tells_when_the_port_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with served(tmp_path) as (_, state):
        port = state["url"].rpartition(":")[2]
        assert main(["serve", "--port", port]) == 2

    assert "in use" in capsys.readouterr().err


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])

    text = capsys.readouterr().out
    for option in ("--host", "--port", "--amqp-port", "--amqp-url", "--state-file", "--seed", "--no-endpoint"):
        assert option in text


def test_shipped_personas_are_a_good_seed() -> None:
    cloud = Cloud()

    load_seed(cloud, ROOT / "globus_local" / "personas.json")

    assert [group.name for group in cloud.groups.values()] == ["premium"]
    alice, bob, charlie = list(cloud.identities.values())[:3]
    assert alice.provider_id == bob.provider_id != charlie.provider_id


def test_every_route_is_in_the_readme() -> None:
    """The parts of Auth and Groups are the SDKs'; the admin surface is ours to document."""
    readme = (ROOT / "globus_local" / "README.md").read_text()
    routes = build_app(Cloud()).router.routes()

    prefixes = {"/".join(route.resource.canonical.split("/")[:3]) for route in routes if route.resource}

    assert [prefix for prefix in sorted(prefixes) if prefix.startswith("/admin/") and prefix not in readme] == []


def test_embedded_cloud_tells_why_it_cannot_start(cloud: Admin) -> None:
    port = int(cloud.base_url.rpartition(":")[2])

    with pytest.raises(OSError, match="in use"), running(Settings(port=port)):
        pytest.fail("started on a port that is taken")
    with pytest.raises(NotLoopbackError), running(Settings(host="192.0.2.1")):
        pytest.fail("started on an address that others can reach")
