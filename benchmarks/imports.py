"""The memory that no gateway in Python could do without: its libraries, imported and idle."""

import sys

from benchmarks.processes import Programs

_LIBRARIES = (
    "django, django.contrib.admin, django.contrib.auth, ninja, rest_framework, uvicorn, uvloop, httptools, aiohttp, "
    "aio_pika, globus_sdk, globus_compute_sdk, orjson, prometheus_client, psycopg, redis"
)
_SCRIPT = f"""
import os
from django.conf import settings
settings.configure()
import {_LIBRARIES}
from globus_sdk import ConfidentialAppAuthClient, GroupsClient
from globus_compute_sdk import Client
import psutil
print(psutil.Process(os.getpid()).memory_info().rss / 1e6)
"""


def measure_imports_mb(programs: Programs) -> float:
    """Resident memory of a process that has imported the gateway's libraries. Raises `BenchmarkError`."""
    return float(programs.run([sys.executable, "-c", _SCRIPT]))
