"""One gateway on its embedded defaults, and the shipped nginx in front of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import openai
import pytest
import requests

from tests.deploy.nginx import NginxServer, build_compose_nginx
from tests.framework import CHAT, LONG, SILENT, SLOW, Framework, running_framework
from tests.gateway import GatewayServer, build_environment, federated, http_target
from tests.globus_cloud import GlobusCloud
from tests.personas import ALICE

STYLE = "body { color: black }"


@dataclass(frozen=True)
class Site:
    """What a test of nginx needs."""

    nginx: NginxServer
    gateway: GatewayServer
    framework: Framework
    token: str
    static: Path

    @property
    def url(self) -> str:
        """The address that clients use."""
        return f"http://127.0.0.1:{self.nginx.port}"

    def client(self) -> openai.OpenAI:
        """Alice's; without retries, so that a test sees the first answer."""
        return openai.OpenAI(base_url=f"{self.url}/resource_server/v1", api_key=self.token, max_retries=0, timeout=30)

    def get(self, path: str, **headers: str) -> requests.Response:
        """Ask as alice."""
        headers = {"Authorization": f"Bearer {self.token}", **headers}
        return requests.get(self.url + path, headers=headers, timeout=30)


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, globus_session: GlobusCloud
) -> Iterator[tuple[GatewayServer, Framework]]:
    folder = tmp_path_factory.mktemp("gateway")
    models = (CHAT, SLOW, SILENT, LONG)
    with running_framework() as framework:
        server = GatewayServer(folder, build_environment(globus_session, folder))
        server.manage("migrate", "-v0")
        server.load([federated(pk, model, http_target(model, framework.url)) for pk, model in enumerate(models, 1)])
        with server:
            yield server, framework


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory,
    gateway: tuple[GatewayServer, Framework],
    globus_session: GlobusCloud,
) -> Iterator[Site]:
    server, framework = gateway
    static = tmp_path_factory.mktemp("static")
    (static / "style.css").write_text(STYLE)
    nginx = build_compose_nginx(tmp_path_factory.mktemp("nginx"), server.port, static)
    with nginx:
        yield Site(nginx, server, framework, globus_session.issue_token(ALICE), static)
