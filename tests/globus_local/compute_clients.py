"""The unmodified Globus Compute SDK, pointed at a local cloud."""

import contextlib
import time
import uuid
from collections.abc import Iterator
from typing import Any

import globus_sdk
from globus_compute_sdk import Client, Executor
from globus_compute_sdk.sdk.client import _ComputeWebClient
from globus_compute_sdk.sdk.executor import _RESULT_WATCHERS
from globus_compute_sdk.serialize import ComputeSerializer, JSONData

from tests.globus_local.conftest import ALICE_ID, COMPUTE_SCOPE, NO_RETRIES, Local

DEADLINE_S = 30.0
JSON_RESULTS = ["globus_compute_sdk.serialize.JSONData"]

ECHO_SOURCE = '''
import os

GREETING = "hello"


def helper(name):
    return f"{GREETING} {name}"


def echo(name="nobody", **kwargs):
    """Greets."""
    return {"greeting": helper(name), "kwargs": kwargs, "env": os.environ.get("GREETED")}
'''


def build_client(local: Local, identity_id: str = ALICE_ID, **options: Any) -> Client:
    """An SDK client with a token of that identity; asks for one try per call."""
    authorizer = globus_sdk.AccessTokenAuthorizer(local.admin.issue_token(identity_id, COMPUTE_SCOPE))
    client = Client(do_version_check=False, authorizer=authorizer, **options)
    client._compute_web_client = _ComputeWebClient(  # noqa: SLF001 - the SDK offers no other way to another port
        base_url=local.url, authorizer=authorizer, retry_config=NO_RETRIES
    )
    return client


def build_json_client(local: Local, identity_id: str = ALICE_ID) -> Client:
    """A client that packs arguments as JSON."""
    client = build_client(local, identity_id)
    client.fx_serializer = ComputeSerializer(strategy_data=JSONData())
    return client


def create_endpoint(local: Local, owner_id: str = ALICE_ID, **fields: Any) -> str:
    """An embedded endpoint; its id."""
    return local.admin.create_endpoint("laptop", owner_id, **fields)


def submit_one(client: Client, endpoint_id: str, function_id: str, *args: Any, **kwargs: Any) -> str:
    """Submit one task, asking for a JSON result; its id. `user_endpoint_config` goes to the endpoint's template."""
    config = kwargs.pop("user_endpoint_config", None)
    batch = client.create_batch(result_serializers=JSON_RESULTS, user_endpoint_config=config)
    batch.add(function_id, args, kwargs)
    [task_id] = client.batch_run(endpoint_id, batch)["tasks"][function_id]
    return str(task_id)


def run_one(client: Client, endpoint_id: str, function_id: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """Run one task; its document once it is complete."""
    return wait_for_task(client, submit_one(client, endpoint_id, function_id, *args, **kwargs))


def wait_for_task(client: Client, task_id: str) -> dict[str, Any]:
    """Poll until the task is complete."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        document: dict[str, Any] = get_task(client, task_id)
        if "completion_t" in document:
            return document
        time.sleep(0.02)
    raise TimeoutError(f"task {task_id} is not complete")


def get_task(client: Client, task_id: str) -> dict[str, Any]:
    """What the service says about a task, undecoded."""
    document: dict[str, Any] = client._compute_web_client.v2.get_task(task_id).data  # noqa: SLF001
    return document


def wait_for_status(client: Client, endpoint_id: str, status: str) -> dict[str, Any]:
    """Poll until the endpoint is `online` or `offline`."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        document: dict[str, Any] = client.get_endpoint_status(endpoint_id)
        if document["status"] == status:
            return document
        time.sleep(0.02)
    raise TimeoutError(f"endpoint {endpoint_id} is not {status}")


@contextlib.contextmanager
def closing_watchers() -> Iterator[None]:
    """End the SDK's result watchers, which outlive their executors, before the cloud goes."""
    try:
        yield
    finally:
        for watcher in list(_RESULT_WATCHERS.values()):
            watcher.shutdown(cancel_futures=True)


def build_executor(client: Client, endpoint_id: str) -> Executor:
    """An SDK executor with a task group of its own that does not sleep between small submissions."""
    return Executor(endpoint_id, client=client, api_burst_limit=1, task_group_id=uuid.uuid4())
