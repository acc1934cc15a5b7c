"""The guide for bare metal, followed to the letter on a fresh virtual environment, up to a stream through nginx.

DEBUG=True is the one thing that an operator would not do: in production the gateway refuses a Globus on its own
machine.
"""

import json
import re
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import psycopg
import pytest
import requests

from tests.deploy.certificates import write_certificate
from tests.deploy.nginx import describe_machine, replace, start_nginx
from tests.deploy.walk import Operator
from tests.e2e.compute_site import build_target, wait_online
from tests.framework import CHAT, SLOW, WORDS, Framework, running_framework
from tests.gateway import federated
from tests.globus_cloud import GlobusCloud
from tests.personas import ALICE, SERVICE_ACCOUNT_ID, SERVICE_ACCOUNT_SECRET
from tests.servers.postgres import PostgresAddress, PostgresServer, public_folder
from tests.servers.process import Process, find_free_port, is_listening
from tests.servers.redis import RedisServer
from tests.waiting import wait_until

pytestmark = [pytest.mark.nginx, pytest.mark.timeout(420)]  # pip installs 70 packages into the fresh environment
MESSAGES: Any = [{"role": "user", "content": "hello"}]


@dataclass
class Machine:
    """What the operator has at the end."""

    operator: Operator
    port: int
    certificate: Path
    database: str
    gunicorn: Process
    controller: Process
    token: str

    @property
    def url(self) -> str:
        """The public address."""
        return f"https://127.0.0.1:{self.port}"

    def get(self, path: str) -> requests.Response:
        return requests.get(self.url + path, verify=str(self.certificate), timeout=30)

    def client(self) -> openai.OpenAI:
        """Alice's."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        http_client = openai.DefaultHttpxClient(verify=context)
        base_url = f"{self.url}/resource_server/v1"
        return openai.OpenAI(base_url=base_url, api_key=self.token, http_client=http_client, timeout=60)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, globus_session: GlobusCloud) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("machine")
    with ExitStack() as stack:
        postgres = stack.enter_context(PostgresServer(stack.enter_context(public_folder()), superuser="postgres"))
        postgres.ask_for_passwords()
        redis = stack.enter_context(RedisServer(folder / "redis"))
        framework = stack.enter_context(running_framework())
        operator = Operator(folder, postgres.address.conninfo("postgres"))
        gateway_port, port = find_free_port(), find_free_port()
        certificate, key = write_certificate(folder)

        operator.run(operator.block("install"))
        operator.run(operator.block("database"))
        write_settings(operator, globus_session, postgres.address, redis.address, port)
        operator.run(operator.block("initialize"))
        load_models(operator, globus_session, framework, certificate)

        start = operator.block("start", {"-b 127.0.0.1:8000": f"-b 127.0.0.1:{gateway_port}"})
        gunicorn = operator.start("gunicorn", start)
        stack.callback(gunicorn.stop, timeout_s=30)
        controller = operator.start("controller", operator.block("controller"))
        stack.callback(controller.stop)
        gunicorn.wait_until(lambda: is_listening(gateway_port), timeout_s=60)

        operator.run(operator.block("nginx"))
        site = operator.nginx / "sites-available" / "inference_gateway.conf"
        own = describe_machine(
            port=port,
            plain_port=find_free_port(),
            gateway_port=gateway_port,
            static=operator.checkout / "static",
            certificate=certificate,
            key=key,
        )
        site.write_text(replace(site.read_text(), own))
        operator.run(operator.block("nginx-start"))
        nginx = start_nginx(operator.nginx)
        stack.callback(nginx.stop)
        url = f"https://127.0.0.1:{port}/resource_server/ready"
        nginx.wait_until(lambda: is_listening(port) and is_answered(url, certificate), timeout_s=120)

        database = PostgresAddress("127.0.0.1", postgres.address.port, "inferencedev", "change-this-password")
        token = globus_session.issue_token(ALICE)
        conninfo = database.conninfo("inferencegateway")
        yield Machine(operator, port, certificate, conninfo, gunicorn, controller, token)


def is_answered(url: str, certificate: Path) -> bool:
    """Whether the gateway behind nginx says that it is ready; its workers take a moment to start."""
    try:
        return requests.get(url, verify=str(certificate), timeout=5).ok
    except requests.RequestException:
        return False


def write_settings(operator: Operator, globus: GlobusCloud, postgres: PostgresAddress, redis: str, port: int) -> None:
    """The guide's .env, with this machine's ports and the local Globus cloud."""
    printed = operator.run(operator.block("environment")).strip()
    own = {
        "<the printed key>": printed,
        "DEBUG=False": "DEBUG=True",
        "PGPORT=5432": f"PGPORT={postgres.port}",
        "redis://localhost:6379/0": f"{redis}/0",
        "https://gateway.example.org/resource_server/relay": f"https://127.0.0.1:{port}/resource_server/relay",
    }
    lines = [operator.block("settings", own), f"GATEWAY_DATA_DIR={operator.folder}/data\n"]
    lines += [f"{name}='{value}'\n" for name, value in globus.environment().items()]
    with (operator.checkout / ".env").open("a") as file:
        file.writelines(lines)  # of two lines with one key, the later one counts


def load_models(operator: Operator, globus: GlobusCloud, framework: Framework, certificate: Path) -> None:
    """Register the shipped function, have a compute endpoint, and put both into a fixture, as the README says."""
    variables = {
        **globus.environment(),
        "GLOBUS_COMPUTE_CLIENT_ID": SERVICE_ACCOUNT_ID,
        "GLOBUS_COMPUTE_CLIENT_SECRET": SERVICE_ACCOUNT_SECRET,
    }
    registered = operator.run("cd compute-functions\npython vllm_register_function.py", **variables)
    found = re.search(r"Function registered with UUID - (\S+)", registered)
    assert found, registered
    environ = {"RELAY_CA_FILE": str(certificate)}
    endpoint = globus.admin.create_endpoint("bare-metal", SERVICE_ACCOUNT_ID, concurrency=4, env=environ)
    wait_online(globus, endpoint)
    place = {"cluster": "polaris", "endpoint_uuid": endpoint, "function_uuid": found[1]}
    rows = [federated(pk, model, build_target(framework, model, **place)) for pk, model in ((11, CHAT), (12, SLOW))]
    (operator.checkout / "fixtures" / "federated_endpoints.json").write_text(json.dumps(rows))
    operator.run("python manage.py loaddata fixtures/federated_endpoints.json")


def test_answer_is_streamed_from_the_compute_node_to_the_client(machine: Machine) -> None:
    with machine.client() as client:
        stream = client.chat.completions.create(model=CHAT, messages=MESSAGES, stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "".join(WORDS)


def test_tokens_arrive_while_the_model_still_writes(machine: Machine) -> None:
    with (
        machine.client() as client,
        client.chat.completions.create(model=SLOW, messages=MESSAGES, stream=True) as stream,
    ):  # it never ends
        words = [chunk.choices[0].delta.content for _, chunk in zip(range(4), stream, strict=False)]
    assert " tick" in words


def test_gateway_is_ready_and_nothing_is_degraded(machine: Machine) -> None:
    assert machine.get("/resource_server/ready").json() == {"status": "ok", "degraded": []}


def test_pages_for_people_have_their_style(machine: Machine) -> None:
    page = machine.get("/resource_server/admin/login/")
    style = re.search(r'href="(/static/[^"]+\.css)"', page.text)
    assert page.status_code == 200
    assert style
    assert machine.get(style[1]).headers["content-type"] == "text/css"


async def test_request_is_on_record_in_the_database_of_the_guide(machine: Machine) -> None:
    with machine.client() as client:
        answer = client.chat.completions.with_raw_response.create(model=CHAT, messages=MESSAGES)

    def find() -> list[Any]:
        with psycopg.connect(machine.database) as connection:
            query = "SELECT sub, cluster, total_tokens FROM resource_server_requestlog WHERE request_id = %s"
            return connection.execute(query, (answer.headers["x-request-id"],)).fetchall()

    await wait_until(lambda: bool(find()), timeout_s=30)
    assert find() == [(ALICE.id, "polaris", 9)]


def test_database_wants_the_password_of_the_guide(machine: Machine) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(machine.database.replace("change-this-password", "another"))


def test_migrations_are_complete(machine: Machine) -> None:
    assert "No changes detected" in machine.operator.run("python manage.py makemigrations")


def test_whole_guide_was_walked_and_all_of_it_still_runs(machine: Machine) -> None:
    assert machine.operator.unread == set()
    assert machine.gunicorn.is_running
    assert machine.controller.is_running
