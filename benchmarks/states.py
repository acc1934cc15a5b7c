"""How long the routes of live state take, from memory: 1,000 models on 100 clusters, asked over HTTP.

``python -m benchmarks.states``
"""

import http.client
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from benchmarks.processes import BenchmarkError, Cores, Programs, allow_open_files, find_free_port
from benchmarks.targets.cloud import Cloud, start_cloud
from benchmarks.targets.gateway import build_row, serve_gateway

CLUSTERS = 100
MODELS_EACH = 10
JOBS_EACH = 50
ROUNDS = 200
BOUND_MS = 10.0
"""For the status of one model."""
_UUID = "be7c0000-0000-4000-8000-00000000e001"
_STATUS = "/c7/vllm/org/model-7-3/status"
_ROUTES = (_STATUS, "/c7/jobs", "/status", "/v1/models", "/list-endpoints-detailed")


def main() -> int:
    """Print a line for each route; returns the exit status: 0 measured, 1 could not measure."""
    allow_open_files()
    cores = Cores()
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder, Programs(Path(folder), cores) as programs:
            figures = _measure(programs, start_cloud(programs))
    except BenchmarkError as exc:
        print(f"benchmarks.states: {exc}", file=sys.stderr)
        return 1
    print(f"| {CLUSTERS * MODELS_EACH} models, {CLUSTERS * JOBS_EACH} jobs | p50 ms | p99 ms |\n|---|---|---|")
    for path, times_ms in figures.items():
        print(f"| `{path}` | {statistics.median(times_ms):.1f} | {_find_p99(times_ms):.1f} |")
    p99_ms = _find_p99(figures[_STATUS])
    print(f"\nStatus of one model: p99 {p99_ms:.1f} ms, {'within' if p99_ms <= BOUND_MS else 'over'} {BOUND_MS:.0f} ms")
    return 0


def _measure(programs: Programs, cloud: Cloud) -> dict[str, list[float]]:
    port = find_free_port()
    serve_gateway(programs, port, cloud, build_rows(time.time()), CONTROLLER_EMBEDDED="False")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Authorization": f"Bearer {cloud.issue_token()}"}
    try:
        return {path: _ask(connection, path, headers) for path in _ROUTES}
    finally:
        connection.close()


def _ask(connection: http.client.HTTPConnection, path: str, headers: Mapping[str, str]) -> list[float]:
    """Milliseconds of each request, one after the other on one connection. Raises `BenchmarkError`."""
    times_ms = []
    for _ in range(ROUNDS + 1):
        began_at = time.perf_counter()
        connection.request("GET", f"/resource_server{path}", headers=headers)
        response = connection.getresponse()
        body = response.read()
        times_ms.append((time.perf_counter() - began_at) * 1000)
        if response.status != HTTPStatus.OK:
            raise BenchmarkError(f"{path} answers {response.status}: {body[:300]!r}")
    return times_ms[1:]  # the first one asks Globus who it is


def _find_p99(times_ms: list[float]) -> float:
    return statistics.quantiles(times_ms, n=100)[98]


def build_rows(as_of: float) -> list[dict[str, Any]]:
    """The catalogue, and what each cluster said last."""
    rows: list[dict[str, Any]] = []
    for number in range(CLUSTERS):
        cluster = f"c{number}"
        models = [f"org/model-{number}-{each}" for each in range(MODELS_EACH)]
        asked = {"name": cluster, "status_endpoint_uuid": _UUID, "status_function_uuid": _UUID}
        known = {"cluster": cluster, "report": json.dumps(_build_report(cluster, models)), "as_of": as_of}
        rows.append({"model": "resource_server.cluster", "pk": number + 1, "fields": asked})
        rows.append({"model": "resource_server.clusterstatus", "pk": number + 1, "fields": known})
        simulated = {"backend": "simulated", "cluster": cluster, "framework": "vllm"}
        first = number * MODELS_EACH + 1
        rows += [build_row(pk, model, {**simulated, "model": model}) for pk, model in enumerate(models, first)]
    return rows


def _build_report(cluster: str, models: list[str]) -> dict[str, Any]:
    kinds = ("running", "starting", "queued")
    jobs = [
        {"Models": models[each % len(models)], "Framework": "vllm", "Cluster": cluster, "Job ID": f"{each}.{cluster}"}
        | {"Model Status": kinds[each % len(kinds)], "Host Name": "node-1", "Walltime Left": "01:00:00"}
        for each in range(JOBS_EACH)
    ]
    return {"running": jobs, "queued": [], "cluster_status": {"free_nodes": 3}}


if __name__ == "__main__":
    sys.exit(main())
