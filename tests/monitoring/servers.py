"""Debian's Prometheus and its exporters, on free ports of 127.0.0.1."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.monitoring.programs import find_program
from tests.monitoring.rules import PROMETHEUS, read
from tests.servers.postgres import PostgresAddress
from tests.servers.process import Process, Server, find_free_port

INTERVAL_S = 2
"""Between two scrapes: a test does not wait for a quarter of a minute, and a busy machine gets its time."""


class Exporter(Server):
    """One program with a page of metrics."""

    def __init__(self, folder: Path, name: str, *arguments: str, **variables: str) -> None:
        super().__init__()
        self.port = find_free_port()
        self._log = folder / f"{name}-exporter.log"
        self._program = find_program(f"prometheus-{name}-exporter")
        self._arguments = arguments
        self._environment = {"PATH": os.environ.get("PATH", ""), **variables}

    def _spawn(self) -> Process:
        command = [self._program, f"--web.listen-address=127.0.0.1:{self.port}", *self._arguments]
        process = Process(command, self._log, env=self._environment)
        process.wait_until(lambda: answers(f"http://127.0.0.1:{self.port}/metrics"), timeout_s=40)
        return process


def build_node_exporter(folder: Path) -> Exporter:
    return Exporter(folder, "node")


def build_postgres_exporter(folder: Path, address: PostgresAddress, database: str) -> Exporter:
    return Exporter(
        folder,
        "postgres",
        DATA_SOURCE_URI=f"{address.host}:{address.port}/{database}?sslmode=disable",
        DATA_SOURCE_USER=address.user,
        DATA_SOURCE_PASS=address.password,
    )


def build_redis_exporter(folder: Path, url: str) -> Exporter:
    return Exporter(folder, "redis", f"--redis.addr={url}")


class PrometheusServer(Server):
    """Prometheus with the shipped configuration, but for the targets' addresses and how often it looks."""

    def __init__(self, folder: Path, addresses: Mapping[str, str]) -> None:
        """`addresses` has the real one for each service of the configuration; its own need not be among them."""
        super().__init__()
        self._port = find_free_port()
        self._folder = folder
        self._addresses = {**addresses, "prometheus": f"127.0.0.1:{self._port}"}
        self.url = f"http://127.0.0.1:{self._port}"

    def read(self, path: str, **parameters: str | float) -> Any:
        """What the API says. Raises `AssertionError` where it says that it failed."""
        answer = requests.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=30).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def _spawn(self) -> Process:
        (self._folder / "prometheus.yml").write_text(yaml.safe_dump(self._configure()))
        shutil.copytree(PROMETHEUS / "rules", self._folder / "rules", dirs_exist_ok=True)
        command = [
            find_program("prometheus"),
            f"--config.file={self._folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._folder / 'series'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
        ]
        process = Process(command, self._folder / "prometheus.log")
        process.wait_until(lambda: answers(f"{self.url}/-/ready"), timeout_s=40)
        return process

    def _configure(self) -> dict[str, Any]:
        configuration: dict[str, Any] = read(PROMETHEUS / "prometheus.yml")
        configuration["global"] = dict.fromkeys(("scrape_interval", "evaluation_interval"), f"{INTERVAL_S}s")
        configuration["global"]["scrape_timeout"] = f"{INTERVAL_S}s"
        for job in configuration["scrape_configs"]:
            for group in job["static_configs"]:
                group["targets"] = [self._addresses[target.partition(":")[0]] for target in group["targets"]]
        return configuration


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False
