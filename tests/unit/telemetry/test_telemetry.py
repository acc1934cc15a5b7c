"""A scrape: complete from the start, bounded, and there whatever becomes of the disk."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from resource_server.telemetry.globus_call import GlobusCall
from resource_server.telemetry.kinds import Reading
from resource_server.telemetry.loop_lag import LoopLag
from resource_server.telemetry.page import ALL_SERIES
from resource_server.telemetry.series import GLOBUS_CALL_DURATION, GLOBUS_CALLS, MODEL_STATE, RECORDS_LOST, REQUESTS
from resource_server.telemetry.telemetry import Telemetry
from tests.waiting import wait_until


@pytest.fixture
async def telemetry(tmp_path: Path) -> AsyncIterator[Telemetry]:
    telemetry = Telemetry(tmp_path / "metrics")
    yield telemetry
    await telemetry.aclose()


async def scrape(telemetry: Telemetry) -> str:
    return (await telemetry.scrape()).decode()


async def test_every_series_has_its_type_before_anything_has_happened(telemetry: Telemetry) -> None:
    families = {family.name: family.type for family in text_string_to_metric_families(await scrape(telemetry))}
    assert families == {name.removesuffix("_total"): series.kind for name, series in ALL_SERIES.items()}


async def test_collectors_and_views_show(telemetry: Telemetry) -> None:
    def read() -> Iterable[Reading]:
        yield RECORDS_LOST, (), 17

    def view() -> Iterable[Reading]:
        yield MODEL_STATE, ("c", "f", "m", "s"), 1

    telemetry.add(read)
    telemetry.add_view(view)
    text = await scrape(telemetry)
    assert "\ngateway_records_lost_total 17.0\n" in text
    assert '\ngateway_model_state{cluster="c",framework="f",model="m",state="s"} 1.0\n' in text


async def test_process_shows_itself_with_its_pid(telemetry: Telemetry) -> None:
    families = {family.name: family for family in text_string_to_metric_families(await scrape(telemetry))}
    (sample,) = families["process_resident_memory_bytes"].samples
    assert sample.labels.keys() == {"pid"}
    assert sample.value > 1_000_000


async def test_running_worker_publishes_by_itself(tmp_path: Path, telemetry: Telemetry) -> None:
    running = asyncio.create_task(telemetry.run())
    try:
        await wait_until(lambda: list((tmp_path / "metrics").glob("*.page")) != [])
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_without_a_folder_the_worker_shows_its_own_and_warns_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "metrics").write_bytes(b"a file where the folder should be")
    telemetry = Telemetry(tmp_path / "metrics")
    REQUESTS.inc("chat/completions", "without-a-folder", "200", "")
    running = asyncio.create_task(telemetry.run())
    try:
        await wait_until(lambda: "metrics are not shared" in caplog.text)
        assert 'cluster="without-a-folder"' in await scrape(telemetry)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await telemetry.aclose()
    assert caplog.text.count("metrics are not shared") == 1


async def test_loop_that_is_kept_shows_as_late() -> None:
    lag = LoopLag()
    running = asyncio.create_task(lag.run())
    try:
        await asyncio.sleep(0.01)
        time.sleep(0.6)  # noqa: ASYNC251 - what is to be noticed
        await wait_until(lambda: next(iter(lag.read()))[2] >= 0.2)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(("outcome", "error"), [("answered", None), ("refused", ValueError()), ("failed", KeyError())])
def test_call_to_globus_is_counted_by_its_outcome(outcome: str, error: Exception | None) -> None:
    def count() -> tuple[float, float]:
        return GLOBUS_CALLS.children["groups", outcome], sum(GLOBUS_CALL_DURATION.children["groups",][1:])

    before = count()
    try:
        with GlobusCall("groups") as call:
            if isinstance(error, ValueError):
                call.refused()
            if error is not None:
                raise error
    except (ValueError, KeyError):
        pass
    assert count() == (before[0] + 1, before[1] + 1)
