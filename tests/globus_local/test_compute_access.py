"""Who may see and use what, and how refusals look, through the unmodified Globus Compute SDK."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests
from globus_compute_sdk import Client
from globus_sdk import GlobusAPIError

from tests.globus_local.compute_clients import (
    ECHO_SOURCE,
    build_client,
    build_json_client,
    create_endpoint,
    get_task,
    submit_one,
    wait_for_status,
)
from tests.globus_local.conftest import ALICE_ID, BOB_ID, GROUPS_SCOPE, Local

UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


class Alices:
    """An endpoint, a function and a task of alice; the endpoint is run by nobody."""

    def __init__(self, local: Local) -> None:
        self.client = build_json_client(local)
        self.endpoint_id = str(self.client.register_endpoint("hers", None, metadata={})["endpoint_id"])
        self.function_id = self.client.register_source_code(ECHO_SOURCE, "echo", description="greets")
        batch = self.client.create_batch()
        batch.add(self.function_id)
        answer = self.client.batch_run(self.endpoint_id, batch)
        self.group_id = answer["task_group_id"]
        self.task_id = answer["tasks"][self.function_id][0]


@pytest.fixture
def hers(local: Local) -> Alices:
    return Alices(local)


READS: list[tuple[str, Callable[[Client, Alices], Any]]] = [
    ("function", lambda client, hers: client.get_function(hers.function_id)),
    ("endpoint", lambda client, hers: client.get_endpoint_metadata(hers.endpoint_id)),
    ("endpoint", lambda client, hers: client.get_endpoint_status(hers.endpoint_id)),
    ("endpoint", lambda client, hers: client.get_allowed_functions(hers.endpoint_id)),
    ("endpoint", lambda client, hers: submit_one(client, hers.endpoint_id, hers.function_id)),
    ("endpoint", lambda client, hers: client.stop_endpoint(hers.endpoint_id)),
    ("task", lambda client, hers: get_task(client, hers.task_id)),
    ("task_group", lambda client, hers: client._compute_web_client.v2.get_task_group(hers.group_id)),  # noqa: SLF001
    ("function", lambda client, hers: client.delete_function(hers.function_id)),
    ("endpoint", lambda client, hers: client.delete_endpoint(hers.endpoint_id)),
]


@pytest.mark.parametrize(("kind", "call"), READS)
def test_only_the_owner_gets_through(
    local: Local, hers: Alices, kind: str, call: Callable[[Client, Alices], Any]
) -> None:
    with pytest.raises(GlobusAPIError) as raised:
        call(build_json_client(local, BOB_ID), hers)
    assert (raised.value.http_status, raised.value.code) == (403, f"{kind.upper()}_ACCESS_FORBIDDEN")
    call(hers.client, hers)


def test_batch_status_leaves_foreign_tasks_out(local: Local, hers: Alices) -> None:
    assert build_client(local, BOB_ID).get_batch_result([hers.task_id]) == {}
    assert list(hers.client.get_batch_result([hers.task_id])) == [hers.task_id]


def test_a_group_of_somebody_else_cannot_be_used(local: Local, hers: Alices) -> None:
    client = build_json_client(local, BOB_ID)
    endpoint_id = client.register_endpoint("his", None)["endpoint_id"]
    batch = client.create_batch(task_group_id=uuid.UUID(hers.group_id))
    batch.add(client.register_source_code(ECHO_SOURCE, "echo"))
    with pytest.raises(GlobusAPIError) as raised:
        client.batch_run(endpoint_id, batch)
    assert raised.value.code == "TASK_GROUP_ACCESS_FORBIDDEN"


def test_public_function_may_be_run_by_others_and_not_read(local: Local, hers: Alices) -> None:
    client = build_json_client(local, BOB_ID)
    endpoint_id = client.register_endpoint("his", None)["endpoint_id"]
    public_id = hers.client.register_source_code(ECHO_SOURCE, "echo", public=True)
    assert submit_one(client, endpoint_id, public_id)
    with pytest.raises(GlobusAPIError):
        client.get_function(public_id)
    with pytest.raises(GlobusAPIError) as raised:
        submit_one(client, endpoint_id, hers.function_id)
    assert raised.value.code == "FUNCTION_ACCESS_FORBIDDEN"


def test_endpoint_runs_its_allowed_functions_only(local: Local, hers: Alices) -> None:
    allowed_id = hers.client.register_source_code(ECHO_SOURCE, "echo")
    endpoint_id = hers.client.register_endpoint("strict", None, allowed_functions=[allowed_id])["endpoint_id"]
    assert submit_one(hers.client, endpoint_id, allowed_id)
    with pytest.raises(GlobusAPIError) as raised:
        submit_one(hers.client, endpoint_id, hers.function_id)
    assert (raised.value.http_status, raised.value.code) == (403, "FUNCTION_NOT_PERMITTED")
    assert hers.client.get_allowed_functions(endpoint_id)["functions"] == [allowed_id]


def test_function_is_kept_as_registered(hers: Alices) -> None:
    function = hers.client.get_function(hers.function_id)
    assert function["function_name"] == "echo"
    assert function["function_code"] == ECHO_SOURCE
    assert function["description"] == "greets"
    assert function["serialized"] is False
    assert function["owner_id"] == ALICE_ID


def test_endpoints_are_listed_for_their_owner(local: Local, hers: Alices) -> None:
    assert [found["uuid"] for found in hers.client.get_endpoints()] == [hers.endpoint_id]
    assert build_client(local, BOB_ID).get_endpoints() == []


def test_endpoint_keeps_its_id_when_it_registers_again(hers: Alices) -> None:
    document = hers.client.register_endpoint("renamed", hers.endpoint_id)
    assert document["endpoint_id"] == hers.endpoint_id
    assert hers.client.get_endpoint_metadata(hers.endpoint_id)["name"] == "renamed"


@pytest.mark.parametrize(
    ("code", "call"),
    [
        ("FUNCTION_NOT_FOUND", lambda hers: hers.client.get_function(UNKNOWN_ID)),
        ("ENDPOINT_NOT_FOUND", lambda hers: hers.client.get_endpoint_status(UNKNOWN_ID)),
        ("FUNCTION_NOT_FOUND", lambda hers: submit_one(hers.client, hers.endpoint_id, UNKNOWN_ID)),
        ("ENDPOINT_NOT_FOUND", lambda hers: submit_one(hers.client, UNKNOWN_ID, hers.function_id)),
        ("TASK_NOT_FOUND", lambda hers: get_task(hers.client, UNKNOWN_ID)),
    ],
)
def test_unknown_ids_are_404(hers: Alices, code: str, call: Callable[[Alices], Any]) -> None:
    with pytest.raises(GlobusAPIError) as raised:
        call(hers)
    assert (raised.value.http_status, raised.value.code) == (404, code)


def test_deleted_function_is_gone(hers: Alices) -> None:
    hers.client.delete_function(hers.function_id)
    with pytest.raises(GlobusAPIError) as raised:
        submit_one(hers.client, hers.endpoint_id, hers.function_id)
    assert raised.value.http_status == 404


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"tasks": []}',
        b'{"tasks": {"f": "x"}}',
        b'{"tasks": {"f": [1]}}',
        b'{"tasks": {}, "task_group_id": "no uuid"}',
        b'{"tasks": {}, "create_queue": "yes"}',
        b'{"tasks": {}, "user_endpoint_config": []}',
    ],
)
def test_malformed_submission_is_400(local: Local, hers: Alices, body: bytes) -> None:
    assert hers.client.authorizer is not None
    headers = {"Authorization": hers.client.authorizer.get_authorization_header()}
    url = f"{local.url}/v3/endpoints/{hers.endpoint_id}/submit"
    response = requests.post(url, data=body, headers=headers, timeout=10)
    assert (response.status_code, response.json()["code"]) == (400, "REQUEST_MALFORMED")


def test_token_of_another_service_is_refused(local: Local) -> None:
    token = local.admin.issue_token(ALICE_ID, GROUPS_SCOPE)
    headers = {"Authorization": f"Bearer {token}"}
    assert requests.get(f"{local.url}/v2/endpoints", headers=headers, timeout=10).status_code == 401


def test_version_check_of_the_sdk_passes(local: Local) -> None:
    build_client(local).version_check(endpoint_version="4.19.0")


def test_deleted_embedded_endpoint_is_gone(local: Local) -> None:
    client = build_client(local)
    endpoint_id = create_endpoint(local, concurrency=1)
    wait_for_status(client, endpoint_id, "online")
    local.admin.call("DELETE", f"compute/endpoints/{endpoint_id}")
    assert client.get_endpoints() == []
