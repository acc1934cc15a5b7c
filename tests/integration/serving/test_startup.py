"""What the server does before it serves: refuses a dangerous configuration, shares nothing by accident."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gateway import ROOT, GatewayServer, build_environment
from tests.globus_cloud import GlobusCloud
from tests.servers.process import find_free_port
from tests.unsafe_settings import SAFE, UNSAFE

COMMAND = (sys.executable, "-m", "uvicorn", "inference_gateway.asgi:application")


def serve(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Start a server that must not start, and wait for its end."""
    command = [*COMMAND, "--port", str(find_free_port())]
    return subprocess.run(command, env=environment, cwd=ROOT, timeout=30, check=False, capture_output=True, text=True)


# A server for each rule and each kind of value that cannot be read; the unit tests have all rows.
STARTED = list({said: (change, said) for change, said in UNSAFE}.values())


@pytest.fixture(scope="module")
def endings(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, str]]:
    """How servers with these settings ended, in that order."""
    folder = str(tmp_path_factory.mktemp("unsafe"))
    settings = {"DJANGO_SETTINGS_MODULE": "inference_gateway.settings", "GATEWAY_DATA_DIR": folder}
    environment = {**os.environ, **SAFE, **settings}
    lines = "".join(f"{json.dumps(change)}\n" for change, _ in STARTED)
    command = (sys.executable, "-m", "tests.integration.serving.start_many")
    done = subprocess.run(
        command, env=environment, cwd=ROOT, input=lines, timeout=300, check=True, capture_output=True, text=True
    )
    return [(status, said) for status, said in map(json.loads, done.stdout.splitlines())]


@pytest.mark.timeout(300)  # the first test starts all servers
@pytest.mark.parametrize("number", range(len(STARTED)), ids=[said for _, said in STARTED])
def test_server_with_unsafe_settings_does_not_start(endings: list[tuple[int, str]], number: int) -> None:
    expected = STARTED[number][1]
    status, said = endings[number]
    assert status > 0
    assert expected in said
    assert "HINT" in said or f"{expected}: " in said


@pytest.mark.timeout(180)
def test_gunicorn_with_several_workers_and_nothing_shared_does_not_start(tmp_path: Path, globus: GlobusCloud) -> None:
    command = [sys.executable, "-m", "gunicorn", "inference_gateway.asgi:application", "--workers", "2"]
    command += ["-k", "uvicorn.workers.UvicornWorker", "-b", f"127.0.0.1:{find_free_port()}"]
    environment = build_environment(globus, tmp_path)
    done = subprocess.run(command, env=environment, cwd=ROOT, timeout=150, check=False, capture_output=True, text=True)
    assert done.returncode != 0
    assert "gateway.E001" in done.stderr
    assert "gateway.E002" in done.stderr


def test_redis_url_that_is_none_does_not_start(tmp_path: Path, globus: GlobusCloud) -> None:
    done = serve(build_environment(globus, tmp_path, REDIS_URL="not a url"))
    assert done.returncode != 0
    assert "gateway.E015" in done.stderr


@pytest.mark.parametrize("variables", [{}, {"PGHOST": "127.0.0.1", "PGPORT": "9"}], ids=["sqlite", "no redis"])
def test_second_process_without_shared_state_does_not_start(
    tmp_path: Path, globus: GlobusCloud, variables: dict[str, str]
) -> None:
    first = GatewayServer(tmp_path, build_environment(globus, tmp_path))
    first.manage("migrate", "-v0")
    with first:
        done = serve(build_environment(globus, tmp_path, **variables))
    assert done.returncode != 0
    assert "another gateway process uses" in done.stderr
    assert "Traceback" not in done.stderr
