"""Two gateway processes share PostgreSQL and Redis; what compute nodes post for one of them reaches the other."""

import time
import uuid
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
import requests

from tests.e2e.compute_site import (
    SENTENCE,
    Endpoints,
    Functions,
    Rows,
    Site,
    build_gateway,
    build_rows,
    running_site,
    wait_online,
    wait_until,
)
from tests.framework import CHAT, SLOW, Framework
from tests.gateway import GatewayServer
from tests.globus_cloud import GlobusCloud
from tests.servers.postgres import PostgresAddress


@pytest.fixture(scope="module")
def database(postgres: PostgresAddress) -> Iterator[dict[str, str]]:
    """The environment of gateways with an empty database of their own."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield postgres.environment(name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def gateways(
    globus_session: GlobusCloud,
    database: dict[str, str],
    redis_session_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[GatewayServer, GatewayServer]:
    shared = {**database, "REDIS_URL": redis_session_url}
    one, two = (build_gateway(globus_session, tmp_path_factory.mktemp(name), **shared) for name in ("one", "two"))
    one.environment["RELAY_BASE_URL"] = f"{two.base_url}/relay"
    return one, two


@pytest.fixture(scope="module")
def workers(
    globus_session: GlobusCloud,
    compute_endpoints: Endpoints,
    compute_functions: Functions,
    gateways: tuple[GatewayServer, GatewayServer],
) -> Iterator[tuple[Site, Site]]:
    """Two sites with the same framework. The first one's relay address is that of the second."""
    one, two = gateways

    def build(framework: Framework) -> Rows:
        wait_online(globus_session, compute_endpoints.working)
        return build_rows(framework, compute_functions, compute_endpoints)

    with running_site(globus_session, one, build) as site, two:
        yield site, replace(site, gateway=two)


def test_posts_that_reach_another_worker_make_the_answer(workers: tuple[Site, Site]) -> None:
    one, _ = workers
    assert one.ask(CHAT).content == SENTENCE
    assert one.ask(CHAT, stream=True).text.endswith("data: [DONE]\n\n")
    cuts, arrived_at = len(one.framework.cut_at), []
    with one.open_stream(SLOW, stream=True) as response:
        for line in response.iter_lines():
            if b"tick" in line:
                arrived_at.append(time.monotonic())
            if len(arrived_at) == 12:
                break
    left_at = time.monotonic()
    assert arrived_at[-1] - arrived_at[0] > 0.3
    assert wait_until(lambda: len(one.framework.cut_at) > cuts, 10)
    assert one.framework.cut_at[-1] - left_at < 2


def test_killed_worker_takes_no_stream_of_another_with_it(workers: tuple[Site, Site]) -> None:
    one, two = workers
    with (
        one.open_stream(SLOW, stream=True) as lost,
        two.open_stream(SLOW, stream=True) as kept,
    ):
        lines = kept.iter_lines()
        next(lines)
        cuts = len(one.framework.cut_at)
        one.gateway.kill()
        with pytest.raises(requests.RequestException):
            lost.content  # noqa: B018 - reads to the end that does not come
        assert sum(b"tick" in next(lines) for _ in range(100)) > 40
        assert wait_until(lambda: len(one.framework.cut_at) > cuts, 12)
    one.gateway.start()
    for site in workers:
        assert site.ask(CHAT).content == SENTENCE
