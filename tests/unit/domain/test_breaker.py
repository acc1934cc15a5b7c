"""When a target is ejected, and how it comes back."""

import pytest

from resource_server.domain.breaker import (
    FAILURES_IN_A_ROW,
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    PROBE_S,
    WINDOW,
    WINDOW_S,
    Breaker,
)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock, jitter=lambda: 1.0)


def open_up(breaker: Breaker) -> None:
    for _ in range(FAILURES_IN_A_ROW):
        breaker.fail()


def test_failures_in_a_row_open_it(breaker: Breaker) -> None:
    for _ in range(FAILURES_IN_A_ROW - 1):
        breaker.fail()
    assert breaker.admit()
    breaker.fail()
    assert breaker.is_open()
    assert not breaker.admit()


def test_success_between_failures_keeps_it_closed(breaker: Breaker) -> None:
    for _ in range(3):
        for _ in range(FAILURES_IN_A_ROW - 1):
            breaker.fail()
        breaker.succeed()
    assert breaker.admit()


@pytest.mark.parametrize(("over_s", "is_open"), [(WINDOW_S / 2, True), (WINDOW_S * 4, False)])
def test_half_of_the_last_outcomes_open_it_if_they_are_recent(
    breaker: Breaker, clock: Clock, over_s: float, is_open: bool
) -> None:
    for number in range(WINDOW):
        clock.now += over_s / WINDOW
        if number % 2:
            breaker.fail()
        else:
            breaker.succeed()
    assert breaker.is_open() is is_open


def test_after_the_pause_one_try_decides(breaker: Breaker, clock: Clock) -> None:
    open_up(breaker)
    clock.now += FIRST_PAUSE_S
    assert breaker.admit()
    assert not breaker.admit()
    breaker.succeed()
    assert breaker.admit()
    assert breaker.admit()


def test_each_failed_try_doubles_the_pause_up_to_a_minute(breaker: Breaker, clock: Clock) -> None:
    open_up(breaker)
    for pause_s in (FIRST_PAUSE_S, 10.0, 20.0, 40.0, LONGEST_PAUSE_S, LONGEST_PAUSE_S):
        clock.now += pause_s - 0.1
        assert not breaker.admit()
        clock.now += 0.1
        assert breaker.admit()
        breaker.fail()


def test_failures_of_tries_that_began_before_it_opened_change_nothing(breaker: Breaker, clock: Clock) -> None:
    open_up(breaker)
    for _ in range(50):
        breaker.fail()
    clock.now += FIRST_PAUSE_S
    assert breaker.admit()


def test_try_whose_outcome_nobody_reports_is_followed_by_another(breaker: Breaker, clock: Clock) -> None:
    open_up(breaker)
    clock.now += FIRST_PAUSE_S
    assert breaker.admit()
    clock.now += PROBE_S
    assert breaker.admit()


def test_pause_with_jitter_is_never_over_a_minute(clock: Clock) -> None:
    breaker = Breaker(clock, jitter=lambda: 1.2)
    open_up(breaker)
    for _ in range(10):
        clock.now += LONGEST_PAUSE_S
        assert breaker.admit()
        breaker.fail()
