"""The dashboards are such as Grafana can show, and ask for series that exist."""

import re
from itertools import combinations
from typing import Any

import promql_parser
import pytest
import yaml

from tests.monitoring.dashboards import FILES, PROVISIONING, fill_in, list_asked, list_panels, load_dashboards

DASHBOARDS = load_dashboards()
GRID_COLUMNS = 24
DATASOURCES: dict[str, dict[str, Any]] = {
    source["uid"]: source
    for source in yaml.safe_load((PROVISIONING / "datasources" / "datasources.yml").read_text())["datasources"]
}
ASKED = list(list_asked("prometheus"))

each_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)


def test_every_dashboard_has_an_address_of_its_own() -> None:
    assert [dashboard["uid"] for dashboard in DASHBOARDS.values()] == [path.stem for path in FILES]
    titles = [dashboard["title"] for dashboard in DASHBOARDS.values()]
    assert len(set(titles)) == len(titles)


@each_dashboard
def test_panels_have_ids_of_their_own(dashboard: dict[str, Any]) -> None:
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)


@each_dashboard
def test_panels_stand_beside_each_other(dashboard: dict[str, Any]) -> None:
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    assert all(place["x"] >= 0 and place["x"] + place["w"] <= GRID_COLUMNS for place in places)
    assert [pair for pair in combinations(places, 2) if overlap(*pair)] == []


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )


@each_dashboard
def test_panels_ask_a_question_of_a_source_that_is_provisioned(dashboard: dict[str, Any]) -> None:
    for panel in list_panels(dashboard):
        assert panel["title"], panel["id"]
        assert panel["description"], panel["title"]
        assert panel["targets"], panel["title"]
        for owner in (panel, *panel["targets"]):
            source = owner["datasource"]
            assert DATASOURCES[source["uid"]]["type"] == source["type"], panel["title"]


@each_dashboard
def test_a_panels_queries_are_told_apart(dashboard: dict[str, Any]) -> None:
    for panel in list_panels(dashboard):
        letters = [target["refId"] for target in panel["targets"]]
        assert len(set(letters)) == len(letters), panel["title"]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_queries_are_promql_whose_variables_are_known(name: str) -> None:
    chosen = {variable["name"] for variable in DASHBOARDS[name]["templating"]["list"]}
    for asked in ASKED:
        if asked.dashboard == name:
            promql_parser.parse(fill_in(asked.target["expr"]))
            used = set(re.findall(r"\$(\w+)", asked.target["expr"])) - {"__rate_interval", "__range"}
            assert used <= chosen, str(asked)


def test_prometheus_is_never_asked_who_made_a_request() -> None:
    """Labels are bounded, and people are not: they are read from the request log."""
    person = re.compile(r"\b(user|username|sub|client_id)\b")
    assert [str(asked) for asked in ASKED if person.search(asked.target["expr"])] == []


def test_no_password_stands_in_the_data_sources() -> None:
    for source in DATASOURCES.values():
        assert all(re.fullmatch(r"\$\w+", value) for value in source.get("secureJsonData", {}).values())


def test_dashboards_are_read_from_where_they_are_mounted() -> None:
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards" / "dashboards.yml").read_text())["providers"]
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
