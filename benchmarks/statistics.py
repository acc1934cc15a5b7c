"""Numbers out of numbers."""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median


def quantile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank quantile of values in ascending order; NaN of none."""
    if not ordered:
        return math.nan
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def medians(rounds: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The median of each figure over the rounds that have it."""
    values: dict[str, list[float]] = {}
    for one in rounds:
        for name, value in one.items():
            values.setdefault(name, []).append(value)
    return {name: median(found) for name, found in values.items()}


def ratio(value: float | None, base: float | None) -> float | None:
    """``value / base``, where both are known."""
    if value is None or not base:
        return None
    return value / base
