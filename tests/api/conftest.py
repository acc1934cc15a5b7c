"""The whole gateway on loopback, one per worker: PostgreSQL, Redis, a local Globus cloud, a framework to answer."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import openai
import psycopg
import pytest
import requests

from tests.framework import CHAT, LONG, MODELS, STALLING, Framework, running_framework
from tests.gateway import GatewayServer, build_environment, federated, http_target
from tests.globus_cloud import GlobusCloud
from tests.personas import PERSONAS, PREMIUM_GROUP_ID
from tests.servers.postgres import PostgresAddress

DEAD_URL = "http://127.0.0.1:9/v1"
PREMIUM = "test/premium"
FAILOVER = "test/failover"
DEAD = "test/dead"
EMBEDDINGS_ONLY = "test/embeddings-only"


COLD = ("cold/streamed", "cold/whole", "cold/impatient", "cold/warmed")
"""Simulated models that take a moment to start, one for each test that starts one."""
COLD_METERED = "cold/metered"
"""The same, for the test of its metrics."""
FAILOVER_METERED = "test/failover-metered"
"""As `FAILOVER`, for the test of its metrics: no other test has its first target left out."""
NARROW = "test/narrow"
"""One request at a time, a second each."""
COLD_START_S = 2.0
COLD_TARGET = {"backend": "simulated", "cluster": "glacier", "framework": "vllm", "cold_start_s": COLD_START_S}


@dataclass(frozen=True)
class Stack:
    """What a test of the API needs."""

    gateway: GatewayServer
    framework: Framework
    globus: GlobusCloud
    tokens: dict[str, str]
    conninfo: str


@pytest.fixture(scope="session")
def stack(
    tmp_path_factory: pytest.TempPathFactory,
    postgres: PostgresAddress,
    redis_session_url: str,
    globus_session: GlobusCloud,
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("gateway")
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    tokens = {persona.name: globus_session.issue_token(persona) for persona in PERSONAS}
    with running_framework() as framework:
        variables = {**postgres.environment(name), "REDIS_URL": redis_session_url}
        gateway = GatewayServer(folder, build_environment(globus_session, folder, **variables))
        gateway.manage("migrate", "-v0")
        gateway.load(build_rows(framework.url))
        with gateway:
            yield Stack(gateway, framework, globus_session, tokens, postgres.conninfo(name))
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def build_rows(url: str) -> list[dict[str, object]]:
    """A federated endpoint per behaviour of the framework, and some that fail before it."""
    rows = [
        federated(pk, model, http_target(model, url, idle_timeout_s=2.0 if model == STALLING else 120.0))
        for pk, model in enumerate(MODELS, 1)
    ]
    premium = http_target(CHAT, url, cluster="sophia", allowed_globus_groups=f"premium:{PREMIUM_GROUP_ID}")
    return [
        *rows,
        federated(101, PREMIUM, premium),
        federated(102, FAILOVER, http_target("x", DEAD_URL), http_target(CHAT, url, cluster="aurora")),
        federated(103, DEAD, http_target("y", DEAD_URL)),
        *(federated(number, model, COLD_TARGET | {"model": model}) for number, model in enumerate(COLD, 105)),
        federated(201, COLD_METERED, COLD_TARGET | {"model": COLD_METERED}),
        federated(202, NARROW, http_target(f"{LONG}-narrow", url, cluster="narrow", max_concurrency=1)),
        federated(203, FAILOVER_METERED, http_target("w", DEAD_URL), http_target(CHAT, url, cluster="aurora")),
        federated(104, EMBEDDINGS_ONLY, http_target("z", url, operations=["embeddings"])),
    ]


@pytest.fixture
def client_for(stack: Stack) -> Iterator[Callable[..., openai.OpenAI]]:
    """An OpenAI client for a persona; without retries, so that a test sees the first answer."""
    clients: list[openai.OpenAI] = []

    def build(persona: str = "alice", base: str = "/v1") -> openai.OpenAI:
        token = stack.tokens.get(persona, persona)
        base_url = f"{stack.gateway.base_url}{base}"
        clients.append(openai.OpenAI(base_url=base_url, api_key=token, max_retries=0, timeout=30))
        return clients[-1]

    yield build
    for client in clients:
        client.close()


class Http:
    """Plain HTTP as alice, below ``/resource_server``."""

    def __init__(self, base_url: str, token: str) -> None:
        self.base_url = base_url
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.session.get(self.base_url + path, timeout=30, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        return self.session.post(self.base_url + path, timeout=30, **options)


@pytest.fixture
def http(stack: Stack) -> Iterator[Http]:
    client = Http(stack.gateway.base_url, stack.tokens["alice"])
    with client.session:
        yield client
