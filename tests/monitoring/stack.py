"""A gateway with its database, its Redis, Globus's stand-in, the exporters, and a Prometheus that scrapes them all."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from tests.gateway import GatewayServer, build_environment
from tests.globus_cloud import GlobusCloud
from tests.monitoring.servers import (
    PrometheusServer,
    build_node_exporter,
    build_postgres_exporter,
    build_redis_exporter,
)
from tests.monitoring.traffic import Traffic, build_rows
from tests.personas import ALICE, BOB, SERVICE_ACCOUNT_ID
from tests.servers.postgres import PostgresAddress
from tests.servers.process import find_free_port
from tests.servers.redis import RedisServer


@dataclass(frozen=True)
class Stack:
    """What runs. `conninfo` leads to the gateway's database, as its owner."""

    prometheus: PrometheusServer
    gateway: GatewayServer
    traffic: Traffic
    postgres: PostgresAddress
    database: str

    @property
    def conninfo(self) -> str:
        return self.postgres.conninfo(self.database)


@contextmanager
def running_stack(folder: Path, postgres: PostgresAddress, globus: GlobusCloud) -> Iterator[Stack]:
    """Start everything; nobody listens where Grafana would, so that one alert is pending."""
    with ExitStack() as parts:
        database = parts.enter_context(_database(postgres))
        redis = parts.enter_context(RedisServer(folder / "redis"))
        variables = {**postgres.environment(database), "REDIS_URL": f"{redis.address}/0"}
        gateway = GatewayServer(folder, build_environment(globus, folder, **variables))
        gateway.manage("migrate", "-v0")
        endpoint_id = globus.admin.create_endpoint("monitored", SERVICE_ACCOUNT_ID)
        parts.callback(globus.admin.delete_endpoint, endpoint_id)
        gateway.load(build_rows(endpoint_id))
        parts.enter_context(gateway)
        exporters = {
            "node-exporter": parts.enter_context(build_node_exporter(folder)),
            "postgres-exporter": parts.enter_context(build_postgres_exporter(folder, postgres, database)),
            "redis-exporter": parts.enter_context(build_redis_exporter(folder, redis.address)),
        }
        ports = {
            "inference-gateway": gateway.port,
            "grafana": find_free_port(),
            **{name: exporter.port for name, exporter in exporters.items()},
        }
        addresses = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
        prometheus = parts.enter_context(PrometheusServer(folder, addresses))
        tokens = [globus.issue_token(persona) for persona in (ALICE, BOB)]
        yield Stack(prometheus, gateway, Traffic(gateway, tokens), postgres, database)


@contextmanager
def _database(postgres: PostgresAddress) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield name
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
