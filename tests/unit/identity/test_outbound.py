import pytest

from resource_server.domain.errors import AuthUnavailable, GatewayError, RateLimited
from resource_server.identity.outbound import OutboundLimit
from tests.unit.identity.fakes import ManualClock, build_settings


def build_limit(time: ManualClock, **changes: object) -> OutboundLimit:
    return OutboundLimit(build_settings(**changes), lambda: time.monotonic)


def admitted(limit: OutboundLimit, address: str, times: int, *, is_known: bool = False) -> int:
    """How many of so many questions pass."""
    passed = 0
    for _ in range(times):
        try:
            limit.check(address, is_known=is_known)
        except GatewayError:
            continue
        passed += 1
    return passed


def test_no_second_ever_sees_more_than_the_cap() -> None:
    time = ManualClock()
    limit = build_limit(time)
    passed: list[float] = []
    for step in range(400):
        passed += [time.monotonic] * admitted(limit, f"192.0.2.{step % 200}", 10, is_known=step % 2 == 0)
        time.advance(0.01)
    busiest = max(sum(start <= moment < start + 1.0 for moment in passed) for start in passed)
    assert busiest == 50


def test_flood_leaves_turns_for_known_tokens() -> None:
    time = ManualClock()
    limit = build_limit(time)
    assert sum(admitted(limit, f"198.51.{n}.1", 10) for n in range(100)) == 35
    assert admitted(limit, "192.0.2.1", 100, is_known=True) == 15


def test_address_has_a_burst_then_a_pace() -> None:
    time = ManualClock()
    limit = build_limit(time, outbound_per_s=10_000.0)
    assert admitted(limit, "192.0.2.1", 100) == 20
    with pytest.raises(RateLimited):
        limit.check("192.0.2.1", is_known=False)
    assert admitted(limit, "192.0.2.2", 1) == 1
    assert admitted(limit, "192.0.2.1", 1, is_known=True) == 1
    time.advance(1.0)
    assert admitted(limit, "192.0.2.1", 100) == 10


def test_ipv6_network_counts_as_one_address() -> None:
    limit = build_limit(ManualClock(), outbound_per_s=10_000.0)
    assert sum(admitted(limit, f"2001:db8::{n:x}", 1) for n in range(100)) == 20
    assert admitted(limit, "2001:db8:0:1::1", 1) == 1


def test_ipv4_peers_of_a_dual_stack_socket_are_told_apart() -> None:
    limit = build_limit(ManualClock(), outbound_per_s=10_000.0)
    assert admitted(limit, "192.0.2.1", 100) == 20
    assert admitted(limit, "::ffff:192.0.2.1", 1) == 0
    assert admitted(limit, "::ffff:192.0.2.2", 1) == 1


def test_spent_total_is_not_the_callers_fault() -> None:
    limit = build_limit(ManualClock(), outbound_per_s=1.0)
    limit.check("192.0.2.1", is_known=True)
    with pytest.raises(AuthUnavailable) as caught:
        limit.check("192.0.2.1", is_known=True)
    assert caught.value.headers["retry-after"] == "2"


@pytest.mark.parametrize("per_s", [0.5, 1.0, 1.4])
def test_small_cap_still_admits_strangers(per_s: float) -> None:
    assert admitted(build_limit(ManualClock(), outbound_per_s=per_s), "192.0.2.1", 5) == 1


def test_addresses_are_counted_in_bounded_memory() -> None:
    limit = build_limit(ManualClock(), outbound_per_s=1e9, max_addresses=10)
    for number in range(1000):
        admitted(limit, f"unix-{number}", 1)
    assert limit.addresses == 10
