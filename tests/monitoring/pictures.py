"""Draw dashboards of a gateway under traffic to ``docs/images``: ``python -m tests.monitoring.pictures [SECONDS]``.

Needs Debian's Prometheus and exporters (.ci/run), and matplotlib (``sh scripts/bootstrap.sh dev bench``).
"""

import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from math import cos, pi
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import psycopg

from tests import settings as settings  # sets the environment of what starts below
from tests.globus_cloud import start_cloud
from tests.monitoring.dashboards import fill_in, load_dashboards
from tests.monitoring.drawing import Answer, Line, Rows, draw
from tests.monitoring.request_log import fill_in_sql
from tests.monitoring.rules import ROOT
from tests.monitoring.stack import Stack, running_stack
from tests.monitoring.traffic import FAST, Traffic
from tests.servers.postgres import PostgresServer, public_folder

DRAWN = ("gateway-overview", "gateway-models", "gateway-users", "gateway-internals")
SECONDS = 240.0
STEP_S = 2
WAVE_S = 120.0


def main(arguments: Sequence[str]) -> None:
    """Run the stack and its traffic, and draw."""
    seconds = float(arguments[0]) if arguments else SECONDS
    dashboards = load_dashboards()
    with (
        public_folder() as public,
        PostgresServer(public / "postgres") as postgres,
        tempfile.TemporaryDirectory() as name,
    ):
        folder = Path(name)
        (folder / "globus").mkdir()
        globus, cloud = start_cloud(folder / "globus")
        with running_stack(folder, postgres.address, cloud) as stack:
            began = time.time()
            run_traffic(stack.traffic, seconds)
            asking = Asking(stack, began + 20, time.time())
            for board in DRAWN:
                path = ROOT / "docs" / "images" / f"monitoring-{board.removeprefix('gateway-')}.png"
                draw(dashboards[board], asking.ask, path)
                print(f"wrote {path.name}, {path.stat().st_size // 1024} KiB")  # noqa: T201 - a command
        globus.stop()


def run_traffic(traffic: Traffic, seconds: float) -> None:
    """Rounds of everything, and beside them streams that come and go in waves."""
    until = time.monotonic() + seconds
    waves = [threading.Thread(target=make_waves, args=(traffic, until)) for _ in range(4)]
    for wave in waves:
        wave.start()
    while time.monotonic() < until:
        traffic.run_round()
        time.sleep(6)
    for wave in waves:
        wave.join()


def make_waves(traffic: Traffic, until: float) -> None:
    began = time.monotonic()
    number = 0
    while (now := time.monotonic()) < until:
        traffic.ask(FAST, stream=True, caller=number)
        number += 1
        time.sleep(0.15 + 0.6 * (1 + cos(2 * pi * (now - began) / WAVE_S)))


class Asking:
    """What a panel gets to know, between two times."""

    def __init__(self, stack: Stack, begin: float, end: float) -> None:
        self._stack, self._begin, self._end = stack, begin, end

    def ask(self, panel: dict[str, Any]) -> Answer:
        if panel["datasource"]["uid"] == "request-log":
            return self._ask_database(panel)
        return [line for target in panel["targets"] for line in self._ask_prometheus(target)]

    def _ask_prometheus(self, target: dict[str, Any]) -> list[Line]:
        query = fill_in(target["expr"], window="20s", shown=f"{self._end - self._begin:.0f}s")
        prometheus, legend = self._stack.prometheus, target["legendFormat"]
        if target["instant"]:
            found = prometheus.read("query", query=query, time=self._end)["result"]
            return [build_line(one["metric"], [one["value"]], legend) for one in found]
        found = prometheus.read("query_range", query=query, start=self._begin, end=self._end, step=STEP_S)["result"]
        return [build_line(one["metric"], one["values"], legend) for one in found]

    def _ask_database(self, panel: dict[str, Any]) -> Answer:
        with psycopg.connect(self._stack.conninfo) as connection:
            cursor = connection.execute(fill_in_sql(panel["targets"][0]["rawSql"], step_s=10))
            fields = [column.name for column in cursor.description or ()]
            rows = cursor.fetchall()
        if panel["type"] == "timeseries":
            by_name: dict[str, list[tuple[float, float]]] = {}
            for at, name, value in rows:
                by_name.setdefault(name, []).append((float(at), float(value)))
            return [Line(name, {}, *zip(*samples, strict=True)) for name, samples in by_name.items()]
        names = panel["transformations"][-1]["options"]["renameByName"] if panel["type"] == "table" else {}
        return Rows([names.get(field, field) for field in fields], [[say(value) for value in row] for row in rows])


def build_line(labels: dict[str, str], samples: Sequence[Sequence[Any]], legend: str) -> Line:
    name = re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), legend)
    return Line(name, labels, [float(at) for at, _value in samples], [float(value) for _at, value in samples])


def say(value: object) -> str:
    return f"{value:%H:%M:%S}" if hasattr(value, "strftime") else str(value)


if __name__ == "__main__":
    main(sys.argv[1:])
