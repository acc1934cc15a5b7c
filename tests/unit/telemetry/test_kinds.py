"""Counters, gauges and histograms of one process."""

from resource_server.telemetry.busiest import OTHER, Busiest
from resource_server.telemetry.kinds import Counter, Gauge, Histogram, Label


def test_counter_counts_by_label_values() -> None:
    counter = Counter(name="c_total", help="", labels=(Label("kind"),))
    counter.inc("a")
    counter.inc("a", by=2)
    counter.inc("b")
    assert counter.copy() == {("a",): 3, ("b",): 1}


def test_gauge_holds_what_was_set_last() -> None:
    gauge = Gauge(name="g", help="")
    gauge.set(to=5)
    gauge.add(by=-2)
    assert gauge.copy() == {(): 3}


def test_histogram_puts_a_bound_into_its_own_bucket_and_what_is_beyond_into_the_last() -> None:
    histogram = Histogram(name="h", help="", buckets=(1, 2))
    for amount in (0.5, 1, 1.5, 2, 7):
        histogram.observe(amount=amount)
    assert histogram.copy() == {(): [12, 2, 2, 1]}


def test_copy_does_not_follow_what_comes_later() -> None:
    histogram = Histogram(name="h", help="", buckets=(1,))
    before = histogram.copy()
    histogram.observe(amount=1)
    assert before == {(): [0, 0, 0]}


def test_fixed_values_are_there_from_the_start_and_others_when_they_come() -> None:
    fixed = (Label("a", values=("1", "2")), Label("b", values=("x", "y")))
    assert Counter(name="c_total", help="", labels=fixed).copy().keys() == {
        ("1", "x"),
        ("1", "y"),
        ("2", "x"),
        ("2", "y"),
    }
    assert Counter(name="d_total", help="", labels=(*fixed, Label("c"))).copy() == {}


def test_histogram_shows_as_many_values_as_its_label_allows_and_the_others_together() -> None:
    busiest = Busiest("models", limit=2)
    histogram = Histogram(name="h", help="", labels=(Label("model", busiest=busiest),), buckets=(1,))
    for model in ("a", "b", "c", "d", "a"):
        histogram.observe(model, amount=1)
    assert histogram.copy() == {("a",): [2, 2, 0], ("b",): [1, 1, 0], (OTHER,): [2, 2, 0]}


def test_histogram_forgets_what_is_not_chosen_any_more_and_keeps_what_is_shared() -> None:
    busiest = Busiest("models", limit=2)
    histogram = Histogram(name="h", help="", labels=(Label("kind"), Label("model", busiest=busiest)), buckets=(1,))
    for model in ("a", "b", "c"):
        histogram.observe("k", model, amount=1)
    busiest.chosen = {"b", "c"}
    histogram.forget(busiest)
    assert histogram.copy().keys() == {("k", "b"), ("k", OTHER)}
