"""Several workers under uvicorn itself: a stop and a reload cost nobody an answer there either."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.compute_site import wait_until
from tests.framework import CHAT, HELD, running_framework
from tests.gateway import GatewayServer, build_environment, federated, http_target
from tests.globus_cloud import GlobusCloud
from tests.integration.serving.test_gunicorn import DONE, Client, begin_streams
from tests.servers.process import Process

pytestmark = pytest.mark.timeout(300)  # it starts several processes; on a busy machine that takes its time

WORKERS = 2


class UvicornWorkers(GatewayServer):
    """``uvicorn --workers``."""

    def _spawn(self) -> Process:
        command = [sys.executable, "-m", "uvicorn", "inference_gateway.asgi:application", "--lifespan", "on"]
        command += ["--port", str(self.port), "--workers", str(WORKERS), "--timeout-worker-healthcheck", "60"]
        process = Process(command, self._folder / "gateway.log", env=self.environment)
        process.wait_until(lambda: self.log.count("Application startup complete") == WORKERS, timeout_s=120)
        process.wait_until(self._is_ready, timeout_s=120)
        return process


def test_reload_and_stop_cut_no_stream_and_refuse_no_request(
    tmp_path: Path, globus: GlobusCloud, create_database: Callable[[], dict[str, str]], redis_url: str
) -> None:
    variables = {**create_database(), "REDIS_URL": redis_url, "DRAIN_S": "120", "WEB_CONCURRENCY": str(WORKERS)}
    gateway = UvicornWorkers(tmp_path, build_environment(globus, tmp_path, **variables))
    gateway.manage("migrate", "-v0")
    with running_framework() as framework:
        gateway.load([federated(pk, model, http_target(model, framework.url)) for pk, model in enumerate((CHAT, HELD))])
        with gateway:
            client = Client(gateway, globus)
            streams = begin_streams(client, framework, 4)
            os.kill(gateway.pid, signal.SIGHUP)  # one worker after the other; the first waits for its streams
            assert wait_until(lambda: "drain_begun" in gateway.log, 60)
            assert wait_until(lambda: "listener_closed" in gateway.log or "drain_ended" in gateway.log, 60)
            assert all(client.ask().startswith("200 ") for _ in range(10))
            framework.released.set()
            assert all(stream.result(60).endswith(DONE) for stream in streams)
            assert wait_until(lambda: gateway.log.count("Finished server process") == WORKERS, 60)
            framework.released.clear()
            streams = begin_streams(client, framework, 4)
            begun = gateway.log.count("drain_begun")
            os.kill(gateway.pid, signal.SIGTERM)
            assert wait_until(lambda: gateway.log.count("drain_begun") == begun + WORKERS, 60)
            framework.released.set()
            assert all(stream.result(60).endswith(DONE) for stream in streams)
            gateway.wait_stopped()
