"""Starts a server for each line of stdin, a JSON object of environment variables, and prints how each ended.

What takes a second of every start, other people's packages, is imported once; each server is a process of its own,
which reads its environment and imports the project as if nothing had been there before.
"""

import json
import os
import signal
import sys
import tempfile

import aiohttp  # noqa: F401 - imported before the forks
import django.core.management  # noqa: F401
import globus_compute_sdk  # noqa: F401
import globus_sdk  # noqa: F401
import prometheus_client  # noqa: F401
import psycopg  # noqa: F401
import pydantic  # noqa: F401
import uvicorn.main

_PATIENCE_S = 20


def start(variables: dict[str, str]) -> tuple[int, str]:
    """One server on a free port: its exit status (minus the signal that ended it) and what it said."""
    with tempfile.TemporaryFile() as said:
        if (pid := os.fork()) == 0:
            signal.alarm(_PATIENCE_S)  # the end of one that serves, which none of these may
            os.environ.update(variables)
            for descriptor in (1, 2):
                os.dup2(said.fileno(), descriptor)
            # One process whatever WEB_CONCURRENCY says: a supervisor would start what does not start for ever.
            sys.argv = ["uvicorn", "inference_gateway.asgi:application", "--port", "0", "--workers", "1"]
            uvicorn.main.main()
        _, status = os.waitpid(pid, 0)
        said.seek(0)
        return os.waitstatus_to_exitcode(status), said.read().decode()


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(f"{json.dumps(start(json.loads(line)))}\n")
