"""A real Prometheus scrapes a running gateway and real exporters: every panel and every recording rule has data."""

import math
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.globus_cloud import GlobusCloud
from tests.monitoring.dashboards import Asked, fill_in, list_asked, load_dashboards
from tests.monitoring.request_log import fill_in_sql, reading
from tests.monitoring.rules import list_rules
from tests.monitoring.servers import PrometheusServer
from tests.monitoring.stack import Stack, running_stack
from tests.servers.postgres import PostgresAddress
from tests.waiting import wait_until

pytestmark = [pytest.mark.prometheus, pytest.mark.timeout(420)]

WINDOW = "30s"
DEADLINE_S = 240
PATIENCE_S = 60


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresAddress, globus_session: GlobusCloud
) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("monitored"), postgres, globus_session) as stack:
        yield stack


@pytest.fixture(scope="module")
def without_data(stack: Stack) -> list[Asked]:
    """The panels' queries that never had data, however long there was traffic."""
    began, left = time.time(), list(list_asked("prometheus"))
    give_up_at = time.monotonic() + DEADLINE_S
    while left and time.monotonic() < give_up_at:
        stack.traffic.run_round()
        left = [asked for asked in left if not has_data(stack.prometheus, asked, began)]
    return left


def has_data(prometheus: PrometheusServer, asked: Asked, began: float) -> bool:
    """Whether the query has a number to show; Prometheus must take it in any case."""
    query = fill_in(asked.target["expr"], window=WINDOW, shown="2m")
    if asked.is_instant:
        result = prometheus.read("query", query=query)["result"]
        return any(is_number(series["value"]) for series in result)
    result = prometheus.read("query_range", query=query, start=began, end=time.time(), step=1)["result"]
    return any(is_number(sample) for series in result for sample in series["values"])


def is_number(sample: list[Any]) -> bool:
    return math.isfinite(float(sample[1]))


@pytest.mark.parametrize("dashboard", load_dashboards())
def test_every_panel_has_data(without_data: list[Asked], dashboard: str) -> None:
    assert [str(asked) for asked in without_data if asked.dashboard == dashboard] == []


# Each of these waits for its moment: on a busy machine a scrape may miss its second.
async def test_every_recording_rule_has_data(without_data: list[Asked], stack: Stack) -> None:
    def list_missing() -> list[str]:
        records = [rule["record"] for rule in list_rules() if "record" in rule]
        return [name for name in records if not stack.prometheus.read("query", query=name)["result"]]

    await wait_until(lambda: not list_missing(), PATIENCE_S)


async def test_every_rule_can_be_evaluated(without_data: list[Asked], stack: Stack) -> None:
    def list_evaluated() -> list[str]:
        rules = [rule for group in stack.prometheus.read("rules")["groups"] for rule in group["rules"]]
        return [rule["name"] for rule in rules if rule["health"] == "ok"]

    names = [rule.get("alert") or rule["record"] for rule in list_rules()]
    await wait_until(lambda: sorted(list_evaluated()) == sorted(names), PATIENCE_S)


async def test_every_service_but_grafana_is_scraped(without_data: list[Asked], stack: Stack) -> None:
    def list_by_health(health: str) -> set[str]:
        targets = stack.prometheus.read("targets")["activeTargets"]
        return {target["labels"]["job"] for target in targets if target["health"] == health}

    jobs = {"inference-gateway", "node", "postgres", "redis", "prometheus"}
    await wait_until(lambda: list_by_health("up") == jobs and list_by_health("down") == {"grafana"}, PATIENCE_S)


async def test_a_service_that_is_away_is_an_alert(without_data: list[Asked], stack: Stack) -> None:
    asked = 'ALERTS{alertname="MonitoringTargetDown", job="grafana"}'
    await wait_until(lambda: bool(stack.prometheus.read("query", query=asked)["result"]), PATIENCE_S)


def test_dashboards_read_the_request_log_as_the_documented_reader(without_data: list[Asked], stack: Stack) -> None:
    asked = list(list_asked("request-log"))
    assert asked
    with reading(stack) as connection:
        for one in asked:
            cursor = connection.execute(fill_in_sql(one.target["rawSql"]))
            assert cursor.fetchall(), str(one)
            columns = [column.name for column in cursor.description or ()]
            assert ("time" in columns) == (one.target["format"] == "time_series"), str(one)
            assert {*one.columns} <= {*columns}, str(one)


def test_documented_reader_may_read_nothing_else(without_data: list[Asked], stack: Stack) -> None:
    with reading(stack) as connection:
        for statement in ("SELECT * FROM resource_server_user", "DELETE FROM resource_server_requestlog"):
            with pytest.raises(psycopg.Error), connection.transaction():
                connection.execute(statement)
