"""The Compute service on a RabbitMQ server instead of its own broker."""

from collections.abc import Iterator
from http import HTTPStatus

import pika
import pytest
from pika.exceptions import ChannelClosedByBroker

from globus_local.cloud import Settings
from globus_local.compute.rabbitmq_bus import RECONNECT_S
from globus_local.embedded import running
from tests.globus_local.compute_clients import (
    DEADLINE_S,
    ECHO_SOURCE,
    build_client,
    build_executor,
    build_json_client,
    closing_watchers,
    create_endpoint,
    run_one,
    wait_for_status,
)
from tests.globus_local.conftest import SEED, Local
from tests.servers.rabbitmq import RabbitMQServer

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def local(rabbitmq_session: RabbitMQServer) -> Iterator[Local]:
    with running(Settings(amqp_url=rabbitmq_session.url)) as (_, admin):
        admin.add(**SEED)
        yield Local(admin.base_url, admin)


@pytest.fixture(scope="module")
def endpoint_id(local: Local) -> str:
    found = create_endpoint(local)
    wait_for_status(build_client(local), found, "online")
    return found


def test_tasks_run_and_results_reach_the_executor(
    local: Local, rabbitmq_session: RabbitMQServer, endpoint_id: str
) -> None:
    client = build_client(local)
    assert client.get_result_amqp_url()["connection_url"] == rabbitmq_session.url
    with closing_watchers(), build_executor(client, endpoint_id) as executor:
        futures = [executor.submit(abs, -number) for number in range(10)]
        assert [future.result(timeout=DEADLINE_S) for future in futures] == list(range(10))


def test_service_and_endpoint_go_on_after_a_restart_of_rabbitmq(
    local: Local, rabbitmq_session: RabbitMQServer, endpoint_id: str
) -> None:
    client = build_json_client(local)
    function_id = client.register_source_code(ECHO_SOURCE, "echo")
    assert run_one(client, endpoint_id, function_id)["status"] == "success"
    rabbitmq_session.stop()
    rabbitmq_session.start()
    assert run_one(client, endpoint_id, function_id, "again")["status"] == "success"


def test_deleted_endpoint_leaves_no_queue(local: Local, rabbitmq_session: RabbitMQServer) -> None:
    other_id = create_endpoint(local, concurrency=1)
    wait_for_status(build_client(local), other_id, "online")
    local.admin.call("DELETE", f"compute/endpoints/{other_id}")
    assert not has_queue(rabbitmq_session, f"{other_id}.tasks")


def test_queue_deleted_under_its_consumer_is_not_brought_back(local: Local, rabbitmq_session: RabbitMQServer) -> None:
    other_id = create_endpoint(local, concurrency=1)
    queue = f"{other_id}.tasks"
    wait_for_status(build_client(local), other_id, "online")
    with pika.BlockingConnection(pika.URLParameters(rabbitmq_session.url)) as connection:
        channel = connection.channel()
        while channel.queue_declare(queue, passive=True).method.consumer_count == 0:
            connection.sleep(0.05)
        channel.queue_delete(queue)
        connection.sleep(3 * RECONNECT_S)  # the time in which the client library would repair what it has lost
    assert not has_queue(rabbitmq_session, queue)
    local.admin.call("DELETE", f"compute/endpoints/{other_id}")


def has_queue(server: RabbitMQServer, name: str) -> bool:
    with pika.BlockingConnection(pika.URLParameters(server.url)) as connection:
        try:
            connection.channel().queue_declare(name, passive=True)
        except ChannelClosedByBroker as error:
            if error.reply_code != HTTPStatus.NOT_FOUND:
                raise
            return False
        return True
