"""Tasks through the stock SDK's `Executor`: ``python -m benchmarks.tasks.executor PLAN`` prints JSON."""

import json
import os
import sys
import time
from concurrent.futures import Future, wait
from functools import partial
from typing import Any

import globus_sdk
from globus_compute_sdk import Client, Executor

from benchmarks.exchange import PACED, build_body
from benchmarks.tasks.plan import STRAGGLER_S, TaskPlan, decode_task_plan, summarise


def run(plan: TaskPlan) -> dict[str, float]:
    """Hand the tasks over to one `Executor` as it comes, and wait for their results."""
    executor = Executor(plan.endpoint_ids[0], client=build_client(plan))
    payload = {"model_params": json.loads(build_body(PACED))}
    first = executor.submit_to_registered_function(plan.function_id, args=(payload,))
    first.result(STRAGGLER_S)  # it pays for the connections
    durations: list[float] = []
    futures: list[Future[Any]] = []
    started_at = time.perf_counter()
    for number in range(plan.tasks):
        time.sleep(max(started_at + number / plan.rate_per_s - time.perf_counter(), 0))
        asked_at = time.perf_counter()
        future = executor.submit_to_registered_function(plan.function_id, args=(payload,))
        future.add_done_callback(partial(_note, durations, asked_at))
        futures.append(future)
    wait(futures, STRAGGLER_S)
    return summarise(plan.tasks, list(durations))


def build_client(plan: TaskPlan) -> Client:
    """The SDK's client for the plan's service account, at the plan's address."""
    login = globus_sdk.ConfidentialAppAuthClient(plan.client_id, plan.client_secret)
    config = globus_sdk.GlobusAppConfig(token_storage="memory")  # noqa: S106 - a kind of storage, no secret
    app = globus_sdk.ClientApp("inference-gateway benchmarks", login_client=login, config=config)
    client = Client(app=app, do_version_check=False)
    web = type(client._compute_web_client)  # noqa: SLF001 - the SDK has no public way to another address
    client._compute_web_client = web(base_url=plan.service_url, app=app)  # noqa: SLF001
    return client


def _note(durations: list[float], asked_at: float, future: "Future[Any]") -> None:
    if not future.cancelled() and future.exception() is None:
        durations.append(time.perf_counter() - asked_at)


if __name__ == "__main__":
    print(json.dumps(run(decode_task_plan(sys.argv[1]))), flush=True)
    os._exit(0)  # the executor would wait, without end, for what has not come back
