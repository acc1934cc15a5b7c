"""Rules, their unit tests and dashboards speak of series, labels and values that the gateway has."""

import math
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest

from resource_server.telemetry.kinds import Histogram, Series
from resource_server.telemetry.libraries import LIBRARY_SERIES
from resource_server.telemetry.series import SERIES
from tests.monitoring.dashboards import fill_in, list_asked
from tests.monitoring.rules import TESTS, list_rules, parse_labels, read

OURS = {series.name: series for series in (*SERIES, *LIBRARY_SERIES)}
LABELS = {name: {label.name for label in series.labels} for name, series in OURS.items()}
SCRAPED = {"job", "instance"}
PARTS = re.compile(r"_(bucket|count|sum)$")
OWN_NAME = re.compile(r"(gateway|gen_ai|django)_\w+")

EXPRESSIONS = {
    **{str(asked): fill_in(asked.target["expr"]) for asked in list_asked("prometheus")},
    **{rule.get("alert") or rule["record"]: rule["expr"] for rule in list_rules()},
}
INPUTS = [line["series"] for path in TESTS for test in read(path)["tests"] for line in test["input_series"]]


def list_selectors(expression: str) -> Iterator[promql_parser.VectorSelector]:
    """All selectors of an expression, wherever they stand in it."""
    found: list[promql_parser.VectorSelector] = []
    look_into(promql_parser.parse(expression), found)
    yield from found


def look_into(expression: Any, found: list[promql_parser.VectorSelector]) -> None:
    if isinstance(expression, promql_parser.VectorSelector):
        found.append(expression)
    for part in ("expr", "lhs", "rhs", "param", "vector_selector", "args"):
        inner = getattr(expression, part, None)
        for one in inner if isinstance(inner, list) else [inner]:
            if one is not None:
                look_into(one, found)


def find_labels(name: str) -> set[str]:
    """The labels of a series in a scrape. Raises `KeyError` where there is no such series."""
    family = PARTS.sub("", name)
    series: Series | None = OURS.get(family)
    return LABELS[family] | ({"le"} if isinstance(series, Histogram) and name.endswith("_bucket") else set())


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_expression_selects_series_that_exist_by_their_labels(expression: str) -> None:
    for selector in list_selectors(expression):
        name = selector.name or ""
        if not OWN_NAME.fullmatch(name):
            continue
        labels = find_labels(name)
        for matcher in selector.matchers.matchers:
            assert matcher.name in labels | SCRAPED, f"{name} has no label {matcher.name}"
            check_value(name, matcher)


def check_value(name: str, matcher: promql_parser.Matcher) -> None:
    """A label with fixed values is compared with one of them."""
    series = OURS.get(PARTS.sub("", name))
    fixed = (
        {value for label in series.labels if label.name == matcher.name for value in label.values} if series else set()
    )
    if fixed:
        assert any(matches(matcher, value) for value in fixed), f"{name}: {matcher.name} is never {matcher.value}"


def matches(matcher: promql_parser.Matcher, value: str) -> bool:
    is_found = bool(re.fullmatch(matcher.value, value)) if "Re" in str(matcher.op) else matcher.value == value
    return is_found != ("Not" in str(matcher.op))


def test_unit_tests_feed_series_as_they_are_scraped() -> None:
    """A rule that is tested with other labels than there are may never fire."""
    for series in INPUTS:
        if OWN_NAME.match(series):
            check_input(series)


def check_input(series: str) -> None:
    name = series.partition("{")[0]
    given = parse_labels(series)
    assert set(given) - SCRAPED == find_labels(name), series
    histogram = OURS.get(PARTS.sub("", name))
    if "le" in given and isinstance(histogram, Histogram):
        assert float(given["le"].replace("+Inf", "inf")) in {*histogram.buckets, math.inf}, series


@pytest.mark.parametrize("rule", [rule for rule in list_rules() if "histogram_quantile" in rule["expr"]], ids=str)
def test_limit_of_a_quantile_lies_below_its_largest_bucket(rule: dict[str, str]) -> None:
    """A quantile is never more than the largest finite bound: an alert above it cannot fire."""
    (name,) = re.findall(r"(\w+)_bucket", rule["expr"])
    series = OURS[name]
    assert isinstance(series, Histogram)
    name_of_value = rule.get("record", "")
    users = [one["expr"] for one in list_rules() if name_of_value and name_of_value in one["expr"]] or [rule["expr"]]
    limits = [float(found) for expr in users for found in re.findall(r">\s*([\d.]+)\s*$", expr)]
    assert all(limit < max(series.buckets) for limit in limits)
    assert all(limit in series.buckets for limit in limits), "between two bounds a quantile is a guess"
