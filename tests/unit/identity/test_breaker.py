import asyncio

import pytest

from resource_server.identity.base import AnswerUnusable, GlobusFailure, GlobusUnavailable, TokenRefused
from resource_server.identity.breaker import Breaker
from resource_server.telemetry.series import BREAKER_OPEN
from tests.unit.identity.fakes import ManualClock


class Service:
    """Fails with `failure` while it is set."""

    def __init__(self) -> None:
        self.failure: GlobusFailure | None = GlobusUnavailable("down")
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.failure is not None:
            raise self.failure
        return "answer"


async def fail(breaker: Breaker, service: Service, times: int) -> None:
    for _ in range(times):
        with pytest.raises(GlobusFailure):
            await breaker.run(service)


async def test_service_is_spared_after_five_failures_in_a_row() -> None:
    breaker, service = Breaker("globus_auth", 5.0, lambda: 0.0), Service()
    await fail(breaker, service, 10)
    assert service.calls == 5
    assert BREAKER_OPEN.copy()["globus_auth",] == 1


async def test_one_success_starts_the_count_anew() -> None:
    breaker, service = Breaker("globus_auth", 5.0, lambda: 0.0), Service()
    await fail(breaker, service, 4)
    service.failure = None
    assert await breaker.run(service) == "answer"
    service.failure = GlobusUnavailable("down")
    await fail(breaker, service, 4)
    service.failure = None
    assert await breaker.run(service) == "answer"


async def test_pauses_double_and_end_with_a_success() -> None:
    time, service = ManualClock(), Service()
    breaker = Breaker("globus_auth", 5.0, lambda: time.monotonic)
    await fail(breaker, service, 5)
    time.advance(3.9)
    await fail(breaker, service, 1)
    assert service.calls == 5
    time.advance(2.2)
    await fail(breaker, service, 1)
    assert service.calls == 6
    time.advance(7.9)
    await fail(breaker, service, 1)
    assert service.calls == 6
    time.advance(4.2)
    service.failure = None
    assert [await breaker.run(service) for _ in range(3)] == ["answer"] * 3
    assert BREAKER_OPEN.copy()["globus_auth",] == 0


async def test_one_probe_at_a_time() -> None:
    time, service = ManualClock(), Service()
    breaker = Breaker("globus_auth", 5.0, lambda: time.monotonic)
    await fail(breaker, service, 5)
    time.advance(7.0)
    gate = asyncio.Event()

    async def probe() -> str:
        await gate.wait()
        return "probed"

    probing = asyncio.create_task(breaker.run(probe))
    await asyncio.sleep(0)
    await fail(breaker, service, 3)
    assert service.calls == 5
    gate.set()
    assert await probing == "probed"


async def test_calls_that_fail_together_pause_once() -> None:
    time, service = ManualClock(), Service()
    breaker = Breaker("globus_auth", 5.0, lambda: time.monotonic)
    gate = asyncio.Event()

    async def late() -> str:
        await gate.wait()
        raise GlobusUnavailable("down")

    calls = [asyncio.create_task(breaker.run(late)) for _ in range(50)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*calls, return_exceptions=True)
    time.advance(6.1)
    service.failure = None
    assert await breaker.run(service) == "answer"


async def test_retry_after_is_honoured_from_the_first_failure() -> None:
    time, service = ManualClock(), Service()
    breaker = Breaker("globus_auth", 5.0, lambda: time.monotonic)
    service.failure = GlobusUnavailable("slow down", retry_after_s=7.0)
    await fail(breaker, service, 1)
    time.advance(6.9)
    with pytest.raises(GlobusUnavailable) as caught:
        await breaker.run(service)
    assert caught.value.retry_after_s == pytest.approx(0.1)
    assert service.calls == 1
    time.advance(0.2)
    service.failure = None
    assert await breaker.run(service) == "answer"


@pytest.mark.parametrize("failure", [TokenRefused("gone"), AnswerUnusable("odd")])
async def test_trouble_with_one_token_is_no_trouble_of_the_service(failure: GlobusFailure) -> None:
    breaker, service = Breaker("globus_auth", 5.0, lambda: 0.0), Service()
    service.failure = failure
    await fail(breaker, service, 10)
    assert service.calls == 10


async def test_hung_service_is_given_up() -> None:
    breaker = Breaker("globus_auth", 0.01, lambda: 0.0)
    with pytest.raises(GlobusUnavailable, match="no answer"):
        await breaker.run(lambda: asyncio.sleep(60))
