"""A worker process: unpacks tasks, runs their functions in threads, packs their results.

Started by `globus_local.endpoint.workers` as `python -m globus_local.endpoint.worker <socket> <threads> <endpoint id>`.
Only here is anything unpickled. The process ends with its socket, whatever its threads are doing, so that none outlives
the cloud.
"""

import functools
import json
import logging
import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any

from globus_compute_sdk.errors import MaxResultSizeExceeded
from globus_compute_sdk.sdk.utils import get_env_details
from globus_compute_sdk.serialize import ComputeSerializer

from globus_local.endpoint.frames import Frame, encode_frame, read_frame

logger = logging.getLogger(__name__)

MAX_RESULT_BYTES = 10 * 1024 * 1024
FUNCTIONS_KEPT = 256
PROTOCOL_VERSION = b"\x01"

serializer = ComputeSerializer()


def main() -> None:
    """Serve the socket until it closes."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    threads, endpoint_id = int(sys.argv[2]), sys.argv[3]
    sending = threading.Lock()

    def answer(frame: Frame) -> None:
        body = run_task(frame, endpoint_id)
        with sending:
            connection.sendall(encode_frame({"task_id": frame.header["task_id"]}, body))

    connection.sendall(encode_frame({"ready": True}))
    stream = connection.makefile("rb")
    pool = ThreadPoolExecutor(threads, thread_name_prefix="task")
    while (frame := read_frame(stream)) is not None:
        pool.submit(answer, frame)
    os._exit(0)


def run_task(frame: Frame, endpoint_id: str) -> bytes:
    """Run one task; the result message (`0x01` and JSON), whether it succeeded or failed."""
    started_ns = time.time_ns()
    try:
        outcome = _succeed(frame)
    except BaseException as error:  # noqa: BLE001 - foreign code may raise anything; all of it becomes the task's result
        outcome = _fail(error)
    data = {
        "task_id": frame.header["task_id"],
        **outcome,
        "details": {**_env_details(), "endpoint_id": endpoint_id},
        "task_statuses": [
            {"timestamp": started_ns, "state": "execution-start", "actor": "worker"},
            {"timestamp": time.time_ns(), "state": "execution-end", "actor": "worker"},
        ],
    }
    return PROTOCOL_VERSION + json.dumps({"message_type": "result", "data": data}).encode()


def _succeed(frame: Frame) -> dict[str, Any]:
    task_buffer = json.loads(frame.body[len(PROTOCOL_VERSION) :])["data"]["task_buffer"]
    code, packed_args, packed_kwargs = serializer.unpack_buffers(task_buffer)
    args, kwargs = serializer.deserialize(packed_args), serializer.deserialize(packed_kwargs)
    value = load_function(code)(*args, **kwargs)
    data = serializer.serialize_from_list(value, frame.header["result_serializers"])
    if len(data) > MAX_RESULT_BYTES:
        raise MaxResultSizeExceeded(len(data), MAX_RESULT_BYTES)
    return {"data": data, "error_details": None}


def _fail(error: BaseException) -> dict[str, Any]:
    if isinstance(error, MaxResultSizeExceeded):
        details = {"code": type(error).__name__, "user_message": f"remote error: {error}"}
        return {"data": repr(error), "error_details": details}
    details = {"code": "RemoteExecutionError", "user_message": "An error occurred during the execution of this task"}
    text = "".join(traceback.format_exception(type(error), error, _find_user_part(error)))
    return {"data": text, "error_details": details}


def _find_user_part(error: BaseException) -> TracebackType | None:
    """The traceback without the frames of this module, which say nothing to the function's author."""
    part = error.__traceback__
    while part is not None and part.tb_next is not None and part.tb_frame.f_code.co_filename == __file__:
        part = part.tb_next
    return part


@functools.lru_cache(maxsize=FUNCTIONS_KEPT)
def load_function(code: str) -> Callable[..., Any]:
    """The function in a serialised text. Each is loaded once: its module-level state lives as long as the worker."""
    function: Callable[..., Any] = serializer.deserialize(code)
    return function


@functools.cache
def _env_details() -> dict[str, Any]:
    details: dict[str, Any] = get_env_details()
    return details


if __name__ == "__main__":
    main()
