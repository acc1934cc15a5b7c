"""The servers that the test set-up brings: they work, and they fail as the tests of failures need."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import aio_pika
import psycopg
import pytest
import redis
from django.db import connection

from tests.servers.postgres import PostgresAddress, PostgresServer
from tests.servers.process import Process, is_listening
from tests.servers.rabbitmq import RabbitMQServer
from tests.servers.redis import RedisServer


@pytest.mark.django_db
def test_django_uses_the_run_s_postgresql_with_migrations_applied(postgres: PostgresAddress) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT inet_server_port(), count(*) FROM django_migrations")
        port, migrations = cursor.fetchone()
    assert port == postgres.port
    assert migrations > 0


def test_create_database_makes_an_empty_one(create_database: Callable[[], dict[str, str]]) -> None:
    first, second = create_database(), create_database()
    assert first["PGDATABASE"] != second["PGDATABASE"]
    with psycopg.connect(PostgresAddress.from_environment(first).conninfo(first["PGDATABASE"])) as client:
        row = client.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert row == (0,)


def test_postgres_killed_and_started_keeps_what_was_committed(postgres_server: PostgresServer) -> None:
    where = postgres_server.address.conninfo("postgres")
    with psycopg.connect(where) as client:
        client.execute("CREATE TABLE kept (id int)")
    with psycopg.connect(where) as client:
        postgres_server.kill()
        with pytest.raises(psycopg.OperationalError):
            client.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(where, connect_timeout=2)
    postgres_server.start()
    with psycopg.connect(where) as client:
        assert client.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_redis_suspended_hangs_until_resumed(redis_server: RedisServer) -> None:
    client = redis.Redis.from_url(redis_server.address, socket_timeout=0.2)
    client.set("kept", 1)
    redis_server.suspend()
    with pytest.raises(redis.TimeoutError):
        client.get("kept")
    redis_server.resume()
    assert client.get("kept") == b"1"


def test_redis_killed_and_started_is_empty(redis_server: RedisServer) -> None:
    client = redis.Redis.from_url(redis_server.address)
    client.set("lost", 1)
    redis_server.kill()
    with pytest.raises(redis.ConnectionError):
        client.get("lost")
    redis_server.start()
    assert client.get("lost") is None


def test_redis_url_is_empty_for_every_test(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("leftover", 1)


def test_redis_url_is_empty_for_the_next_test(redis_url: str) -> None:
    test_redis_url_is_empty_for_every_test(redis_url)


@pytest.mark.rabbitmq
async def test_rabbitmq_stopped_and_started_keeps_durable_messages(rabbitmq_session: RabbitMQServer) -> None:
    assert await publish(rabbitmq_session.url) == 0
    await asyncio.to_thread(rabbitmq_session.stop)
    with pytest.raises(ConnectionError):
        await publish(rabbitmq_session.url)
    rabbitmq_session.start()  # from the main thread: its end ends the server
    assert await publish(rabbitmq_session.url) == 1


async def publish(url: str) -> int | None:
    """Put a message on a durable queue; returns how many were there before."""
    async with await aio_pika.connect(url, timeout=5) as connection:
        channel = await connection.channel(publisher_confirms=True)
        queue = await channel.declare_queue("kept", durable=True)
        message = aio_pika.Message(b"", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, queue.name)
        return queue.declaration_result.message_count


def test_process_ends_when_the_run_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time, pathlib; from tests.servers.redis import RedisServer\n"
        "server = RedisServer(pathlib.Path(sys.argv[1])); server.start()\n"
        "print(server.address, flush=True); time.sleep(60)"
    )
    run = subprocess.Popen([sys.executable, "-c", script, tmp_path], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    with run.stdout as output:
        port = int(output.readline().rpartition(":")[2])
    assert is_listening(port)
    run.kill()
    run.wait()
    deadline = time.monotonic() + 5
    while is_listening(port) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_listening(port)


def test_process_that_ends_early_is_reported_with_its_output(tmp_path: Path) -> None:
    process = Process([sys.executable, "-c", "raise SystemExit('no such setting')"], tmp_path / "log")
    with pytest.raises(Exception, match="no such setting"):
        process.wait_until(lambda: False)
