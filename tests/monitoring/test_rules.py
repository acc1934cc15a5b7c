"""Every alert is known to fire and not to fire, tells an operator what to do, and its words can be filled in."""

import re
import subprocess
from typing import Any

import pytest

from tests.monitoring.programs import find_program
from tests.monitoring.rules import PROMETHEUS, RULES, RUNBOOK, TESTS, list_alerts, list_expectations, list_rules

ALERTS = list_alerts()
NAMES: list[str] = [alert["alert"] for alert in ALERTS]


@pytest.mark.prometheus
def test_configuration_is_valid() -> None:
    check("check", "config", PROMETHEUS / "prometheus.yml")


@pytest.mark.prometheus
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_rules_pass_their_unit_tests(path: object) -> None:
    check("test", "rules", path)


def check(*arguments: object) -> None:
    done = subprocess.run([find_program("promtool"), *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


def test_every_file_of_rules_has_unit_tests() -> None:
    assert [path.name for path in TESTS] == [path.name for path in RULES]


def test_names_are_given_once() -> None:
    records = [rule["record"] for rule in list_rules() if "record" in rule]
    assert len(NAMES) == len(set(NAMES))
    assert len(records) == len(set(records))


def test_every_alert_is_tested_to_fire_and_not_to_fire() -> None:
    expectations = list_expectations()
    assert sorted({one.alert for one in expectations if one.firing}) == sorted(NAMES)
    assert sorted({one.alert for one in expectations if not one.firing}) == sorted(NAMES)


def test_every_recording_is_unit_tested_or_used_by_an_alert_that_is() -> None:
    tests = "".join(path.read_text() for path in TESTS)
    used = "".join(alert["expr"] for alert in ALERTS) + tests
    assert [rule["record"] for rule in list_rules() if "record" in rule and rule["record"] not in used] == []


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_alert_says_how_bad_it_is_and_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert set(alert["annotations"]) == {"summary", "description", "runbook"}
    assert alert["annotations"]["runbook"] == f"docs/runbook.md#{alert['alert'].lower()}"


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_alert_names_only_labels_that_it_has(alert: dict[str, Any]) -> None:
    """A label that is not there leaves a hole in the sentence."""
    named = set(re.findall(r"\$labels\.(\w+)", " ".join(alert["annotations"].values())))
    fired = [labels for one in list_expectations() if one.alert == alert["alert"] for labels in one.firing]
    assert [labels for labels in fired if not named <= set(labels)] == []


def test_runbook_has_a_section_for_each_alert_and_no_other() -> None:
    assert sorted(re.findall(r"^### (\w+)$", RUNBOOK.read_text(), re.MULTILINE)) == sorted(NAMES)
