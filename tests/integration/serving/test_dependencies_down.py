"""Everything is down when the server starts: it starts, says so, and recovers by itself."""

from pathlib import Path

import requests

from tests.api.test_failures import wait_until
from tests.framework import CHAT, running_framework
from tests.gateway import GatewayServer, build_environment, federated, http_target
from tests.globus_cloud import GlobusCloud
from tests.personas import ALICE
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

BODY = {"model": CHAT, "messages": [{"role": "user", "content": "hi"}]}


class UnreadyGateway(GatewayServer):
    """One that is up as soon as it answers at all."""

    def _is_ready(self) -> bool:
        try:
            return requests.get(f"{self.base_url}/health", timeout=2).ok
        except requests.RequestException:
            return False


def test_server_starts_without_database_redis_and_globus_and_recovers(
    tmp_path: Path, globus: GlobusCloud, postgres_server: PostgresServer, redis_server: RedisServer
) -> None:
    with running_framework() as framework:
        variables = {**postgres_server.address.environment("postgres"), "REDIS_URL": f"{redis_server.address}/0"}
        gateway = UnreadyGateway(tmp_path, build_environment(globus, tmp_path, **variables))
        gateway.manage("migrate", "-v0")
        gateway.load([federated(1, CHAT, http_target(CHAT, framework.url))])
        postgres_server.stop()
        redis_server.stop()
        globus.admin.add_fault(service="auth", status=503)
        headers = {"Authorization": f"Bearer {globus.issue_token(ALICE)}"}

        def ask() -> requests.Response:
            return requests.post(f"{gateway.base_url}/v1/chat/completions", json=BODY, headers=headers, timeout=20)

        def ready() -> requests.Response:
            return requests.get(f"{gateway.base_url}/ready", timeout=5)

        with gateway:
            assert ready().status_code == 503
            assert set(ready().json()["degraded"]) >= {"database", "redis"}
            assert ask().json()["error"]["code"] == "auth_unavailable"
            assert "globus_auth" in ready().json()["degraded"]
            globus.admin.clear_faults()
            assert wait_until(lambda: ask().json()["error"]["code"] == "catalogue_stale", 20)
            assert ask().headers["retry-after"]
            postgres_server.start()
            assert wait_until(lambda: ready().status_code == 200, 15)
            assert ask().status_code == 200
            redis_server.start()
            assert wait_until(lambda: ready().json() == {"status": "ok", "degraded": []}, 30)
