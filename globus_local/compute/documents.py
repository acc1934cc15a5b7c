"""What the Compute service says about its records, as JSON."""

from typing import Any

from globus_local.compute.records import Endpoint, Function, Task


def describe_function(function: Function) -> dict[str, Any]:
    """`GET /v2/functions/{id}`."""
    return {
        "function_uuid": function.id,
        "function_name": function.name,
        "function_code": function.code,
        "description": function.description,
        "serialized": function.serialized,
        "public": function.public,
        "owner_id": function.owner_id,
        "metadata": dict(function.metadata),
    }


def describe_endpoint(endpoint: Endpoint) -> dict[str, Any]:
    """`GET /v2/endpoints/{id}`, and an item of `GET /v2/endpoints`."""
    return {
        "uuid": endpoint.id,
        "name": endpoint.name,
        "display_name": endpoint.display_name or endpoint.name,
        "owner": endpoint.owner_id,
        "multi_user": endpoint.multi_user,
        "public": endpoint.public,
        "parent_uuid": endpoint.parent_id,
        "metadata": dict(endpoint.metadata),
        "user_config_template": endpoint.metadata.get("user_config_template"),
        "user_config_schema": endpoint.metadata.get("user_config_schema"),
    }


def describe_task(task: Task) -> dict[str, Any]:
    """`GET /v2/tasks/{id}`, and an item of `POST /v2/batch_status`; no `completion_t` means pending."""
    document: dict[str, Any] = {"task_id": task.id, "status": task.state.value, "details": task.details}
    if task.completed_at is not None:
        document["completion_t"] = str(task.completed_at)
    if task.result is not None:
        document["result"] = task.result
    if task.exception is not None:
        document["exception"] = task.exception
    return document
