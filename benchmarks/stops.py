"""How long the gateway takes to start, and whether a stop cuts streams: ``python -m benchmarks.stops``."""

import http.client
import json
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.processes import BenchmarkError, Cores, Program, Programs, allow_open_files, find_free_port
from benchmarks.targets.cloud import Cloud, start_cloud
from benchmarks.targets.gateway import CHAT_PATH, build_row, prepare_gateway, run_gateway

STARTS = 5
START_BOUND_S = 3.0
STREAMS = 100
STREAM_S = 8.0
TOKENS = 100
WAIT_S = 60.0
_MODEL = "simulated/steady"
_DONE = b"data: [DONE]\n\n"


def main() -> int:
    """Print the figures; returns the exit status: 0 measured, 1 could not measure."""
    allow_open_files()
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder, Programs(Path(folder), Cores()) as programs:
            starts_s, whole, end_s = _measure(programs, start_cloud(programs))
    except BenchmarkError as exc:
        print(f"benchmarks.stops: {exc}", file=sys.stderr)
        return 1
    walls, cpus = zip(*starts_s, strict=True)
    print("| figure | bound | measured |\n|---|---|---|")
    print(f"| start to `/ready`, median of {STARTS} | {START_BOUND_S:.0f} s | {statistics.median(walls):.1f} s |")
    print(f"| fastest and slowest | | {min(walls):.1f} and {max(walls):.1f} s |")
    print(f"| CPU of it | | {statistics.median(cpus):.1f} s |")
    print(f"| streams of {STREAM_S:.0f} s that ended whole after SIGTERM | {STREAMS} | {whole} |")
    print(f"| process gone after the last of them | | {end_s:.1f} s |")
    return 0


def _measure(programs: Programs, cloud: Cloud) -> tuple[list[tuple[float, float]], int, float]:
    """Of each start the seconds and the CPU seconds; then as `_stop_under_streams`."""
    port = find_free_port()
    pace_ms = STREAM_S * 1000 / TOKENS
    target = {"backend": "simulated", "cluster": "simulated", "framework": "vllm", "model": _MODEL}
    row = build_row(
        1,
        _MODEL,
        {**target, "first_token_ms": 0, "max_concurrency": 1000, "token_interval_ms": pace_ms, "output_tokens": TOKENS},
    )
    environ = prepare_gateway(programs, port, cloud, [row])
    run_gateway(programs, port, environ).stop()  # the first start finds files that nobody has read yet
    starts_s: list[tuple[float, float]] = []
    for _ in range(STARTS):
        began_at = time.monotonic()
        gateway = run_gateway(programs, port, environ)
        starts_s.append((time.monotonic() - began_at, gateway.cpu_s))
        if len(starts_s) < STARTS:
            gateway.stop()
    whole, end_s = _stop_under_streams(gateway, port, cloud.issue_token())
    return starts_s, whole, end_s


def _stop_under_streams(gateway: Program, port: int, token: str) -> tuple[int, float]:
    """How many streams ended whole, and the seconds from the last one's end to the process's."""
    begun = threading.Barrier(STREAMS + 1)
    with ThreadPoolExecutor(STREAMS) as pool:
        streams = [pool.submit(_read_stream, port, token, begun) for _ in range(STREAMS)]
        begun.wait(WAIT_S)
        gateway.terminate()
        whole = sum(stream.result(WAIT_S) for stream in streams)
    ended_at = time.monotonic()
    gateway.wait_ended(WAIT_S)
    return whole, time.monotonic() - ended_at


def _read_stream(port: int, token: str, begun: threading.Barrier) -> bool:
    """Whether one stream came to its end, with every token in it."""
    body: dict[str, Any] = {"model": _MODEL, "stream": True, "max_tokens": TOKENS}
    body["messages"] = [{"role": "user", "content": "Count."}]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
    try:
        connection.request("POST", CHAT_PATH, json.dumps(body), headers)
        response = connection.getresponse()
        head = response.readline()
        begun.wait(WAIT_S)
        text = head + response.read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return text.endswith(_DONE) and text.count(b'"content":') >= TOKENS


if __name__ == "__main__":
    sys.exit(main())
