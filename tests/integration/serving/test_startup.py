"""What the server does before it serves: refuses a dangerous configuration, shares nothing by accident."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.gateway import ROOT, GatewayServer, build_environment
from tests.globus_cloud import GlobusCloud
from tests.servers.process import find_free_port

COMMAND = (sys.executable, "-m", "uvicorn", "inference_gateway.asgi:application")
SAFE = {
    "DEBUG": "False",
    "SECRET_KEY": "k" * 60,
    "ALLOWED_HOSTS": "gateway.example.org",
    "GLOBUS_SDK_SERVICE_URL_AUTH": "",
    "GLOBUS_SDK_SERVICE_URL_GROUPS": "",
    "GLOBUS_COMPUTE_SERVICE_URL": "",
    "PGHOST": "db.example.org",
    "REDIS_URL": "redis://redis.example.org",
}


def serve(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Start a server that must not start, and wait for its end."""
    command = [*COMMAND, "--port", str(find_free_port())]
    return subprocess.run(command, env=environment, cwd=ROOT, timeout=30, check=False, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"SECRET_KEY": ""}, "gateway.E003"),
        ({"ALLOWED_HOSTS": "*"}, "gateway.E004"),
        ({"GLOBUS_SDK_SERVICE_URL_AUTH": "http://127.0.0.1:1"}, "gateway.E006"),
        ({"PGHOST": ""}, "gateway.E001"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL: 'loud' cannot be used"),
    ],
)
def test_dangerous_configuration_does_not_start(
    tmp_path: Path, globus: GlobusCloud, change: dict[str, str], said: str
) -> None:
    done = serve(build_environment(globus, tmp_path, **{**SAFE, **change}))
    assert done.returncode != 0
    assert said in done.stderr


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
    assert "startup_failed" in done.stderr


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
