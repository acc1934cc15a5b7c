"""Tasks that live as long as their owner."""

import asyncio

import pytest

from resource_server.state.background import Background
from resource_server.telemetry.series import BACKGROUND_FAILURES
from tests.waiting import wait_until


async def fail() -> None:
    raise LookupError("nothing there")


async def test_task_that_fails_is_logged_and_counted_by_its_fixed_words(caplog: pytest.LogCaptureFixture) -> None:
    background = Background()
    background.start("look for things", fail(), about="a model")
    await wait_until(lambda: len(background) == 0)
    assert "background task failed: look for things: a model" in caplog.text
    assert BACKGROUND_FAILURES.copy()["look for things",] == 1


async def test_task_that_is_cancelled_has_not_failed() -> None:
    background = Background()
    background.start("wait for ever", asyncio.Event().wait())  # type: ignore[arg-type]
    await background.aclose()
    assert ("wait for ever",) not in BACKGROUND_FAILURES.copy()
