"""The text format, read back by Prometheus's own parser."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from resource_server.telemetry.kinds import Counter, Gauge, Histogram, Label
from resource_server.telemetry.text import render


def test_histogram_is_cumulative_and_consistent() -> None:
    histogram = Histogram(name="h_seconds", help="Of things.", labels=(Label("b"), Label("a")), buckets=(0.5, 1))
    for amount in (0.1, 0.7, 0.9, 5):
        histogram.observe("x", "y", amount=amount)
    text = "".join(render(histogram, histogram.copy()))
    (family,) = text_string_to_metric_families(text)
    assert text.startswith("# HELP h_seconds Of things.\n# TYPE h_seconds histogram\n")
    buckets = {sample.labels["le"]: sample.value for sample in family.samples if sample.name == "h_seconds_bucket"}
    assert buckets == {"0.5": 1, "1.0": 3, "+Inf": 4}
    rest = {sample.name: sample.value for sample in family.samples if sample.labels == {"b": "x", "a": "y"}}
    assert rest == {"h_seconds_count": 4, "h_seconds_sum": pytest.approx(6.7)}


def test_awkward_label_values_survive() -> None:
    counter = Counter(name="c_total", help="", labels=(Label("model"),))
    counter.inc('a"b\\c\nd')
    (family,) = text_string_to_metric_families("".join(render(counter, counter.copy())))
    assert [sample.labels for sample in family.samples] == [{"model": 'a"b\\c\nd'}]


def test_series_without_a_value_has_its_type() -> None:
    gauge = Gauge(name="g_bytes", help="Of memory.", labels=(Label("cluster"),))
    assert "".join(render(gauge, {})) == "# HELP g_bytes Of memory.\n# TYPE g_bytes gauge\n"


def test_labels_stand_by_name() -> None:
    counter = Counter(name="c_total", help="", labels=(Label("operation"), Label("cluster")))
    counter.inc("chat", "polaris")
    assert list(render(counter, counter.copy()))[1] == 'c_total{cluster="polaris",operation="chat"} 1.0\n'
