"""The pytest side of the servers: who owns them, and what a test asks for."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from django.db import connections
from psycopg import sql

from tests.servers.postgres import PostgresAddress, PostgresServer, public_folder
from tests.servers.rabbitmq import RabbitMQServer
from tests.servers.redis import DATABASES, RedisServer
from tests.servers.run import RunServers
from tests.settings import CONFIGURED_POSTGRES

_SERVERS = pytest.StashKey[RunServers]()


def pytest_configure(config: pytest.Config) -> None:
    """Own the servers; those of a worker of pytest-xdist are its controller's."""
    if not hasattr(config, "workerinput"):
        config.stash[_SERVERS] = servers = RunServers(CONFIGURED_POSTGRES)
        config.add_cleanup(servers.close)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Start the servers before the first worker, and tell each worker where they are."""
    servers = node.config.stash[_SERVERS]
    node.workerinput["postgres"] = servers.postgres.environment("")
    node.workerinput["redis"] = servers.redis


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> PostgresAddress:
    """The run's PostgreSQL. Tests that use Django's ORM ask for pytest-django's fixtures instead."""
    if hasattr(pytestconfig, "workerinput"):
        return PostgresAddress.from_environment(pytestconfig.workerinput["postgres"])
    return pytestconfig.stash[_SERVERS].postgres


@pytest.fixture
def create_database(postgres: PostgresAddress) -> Iterator[Callable[[], dict[str, str]]]:
    """Make an empty database; answers the environment of a gateway that uses it. All are dropped after the test."""
    names: list[str] = []

    def create() -> dict[str, str]:
        names.append(f"test_{uuid.uuid4().hex}")
        _execute(postgres, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(names[-1])))
        return postgres.environment(names[-1])

    yield create
    for name in names:
        _execute(postgres, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None, postgres: PostgresAddress) -> None:
    """Point Django's default connection at the run's server; the name stays pytest-django's, one per worker."""
    connections["default"].settings_dict.update(
        HOST=postgres.host, PORT=postgres.port, USER=postgres.user, PASSWORD=postgres.password
    )


@pytest.fixture(scope="session")
def redis_session_url(pytestconfig: pytest.Config) -> str:
    """A database of this worker's own on the run's Redis, for what outlives a test."""
    return _find_redis(pytestconfig, 0)


@pytest.fixture
def redis_url(pytestconfig: pytest.Config) -> str:
    """Another one, emptied: nothing that outlives a test writes to it."""
    url = _find_redis(pytestconfig, 1)
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


def _find_redis(pytestconfig: pytest.Config, offset: int) -> str:
    if not hasattr(pytestconfig, "workerinput"):
        return f"{pytestconfig.stash[_SERVERS].redis}/{offset}"
    number = int(pytestconfig.workerinput["workerid"].removeprefix("gw"))
    return f"{pytestconfig.workerinput['redis']}/{(2 * number + offset) % DATABASES}"


@pytest.fixture
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL of the test's own, to be killed, suspended, restarted."""
    with public_folder() as folder, PostgresServer(folder) as server:
        yield server


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of the test's own, to be killed, suspended, restarted."""
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq_session() -> Iterator[RabbitMQServer]:
    """A RabbitMQ for each worker that asks; it takes seconds to start."""
    with public_folder() as folder, RabbitMQServer(folder) as server:
        yield server


def _execute(postgres: PostgresAddress, statement: sql.Composed) -> None:
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as connection:
        connection.execute(statement)
