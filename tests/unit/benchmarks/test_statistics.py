import math

import pytest

from benchmarks.statistics import medians, quantile, ratio


@pytest.mark.parametrize(("share", "expected"), [(0.5, 5), (0.95, 10), (0.99, 10), (0.0, 1)])
def test_quantile_is_a_measured_value(share: float, expected: float) -> None:
    assert quantile(list(range(1, 11)), share) == expected


def test_quantile_of_nothing_is_no_number() -> None:
    assert math.isnan(quantile([], 0.5))


def test_medians_take_the_rounds_that_have_the_figure() -> None:
    assert medians([{"a": 1, "b": 7}, {"a": 9}, {"a": 2}]) == {"a": 2, "b": 7}


@pytest.mark.parametrize(
    ("value", "base", "expected"), [(3.0, 2.0, 1.5), (None, 2.0, None), (3.0, None, None), (3.0, 0.0, None)]
)
def test_ratio_needs_both_sides(value: float | None, base: float | None, expected: float | None) -> None:
    assert ratio(value, base) == expected
