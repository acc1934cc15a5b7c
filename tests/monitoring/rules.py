"""Prometheus's rules and their unit tests, as the files say."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "prometheus"
RULES = sorted((PROMETHEUS / "rules").glob("*.yml"))
TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))
RUNBOOK = ROOT / "docs" / "runbook.md"

_ASKS_FOR_ONE = re.compile(r'ALERTS\{alertname="(\w+)", alertstate="firing"\}')


@dataclass(frozen=True)
class Expectation:
    """What a unit test expects of one alert at one time: the labels of each that fires."""

    alert: str
    firing: tuple[dict[str, str], ...]


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def list_rules() -> list[dict[str, Any]]:
    """All rules, in the order of the files."""
    return [rule for path in RULES for group in read(path)["groups"] for rule in group["rules"]]


def list_alerts() -> list[dict[str, Any]]:
    return [rule for rule in list_rules() if "alert" in rule]


def list_expectations() -> list[Expectation]:
    """What the unit tests expect of alerts."""
    found = []
    for path in TESTS:
        for group in read(path)["tests"]:
            for test in group["promql_expr_test"]:
                if asked := _ASKS_FOR_ONE.fullmatch(test["expr"]):
                    labels = tuple(parse_labels(sample["labels"]) for sample in test["exp_samples"])
                    found.append(Expectation(asked[1], labels))
    return found


def parse_labels(series: str) -> dict[str, str]:
    """The labels of a series as Prometheus writes it."""
    return dict(re.findall(r'(\w+)="([^"]*)"', series))
