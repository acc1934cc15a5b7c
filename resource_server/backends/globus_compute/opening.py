"""From a submitted task to the status of its answer: the relay and the task's result race, the first one wins."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from resource_server.backends.base import Upstream, UpstreamTimeout, UpstreamUnavailable
from resource_server.backends.globus_compute.flight import Flight, unavailable
from resource_server.backends.globus_compute.results import Answer, TaskFailed
from resource_server.backends.globus_compute.synthesis import build_events
from resource_server.backends.globus_compute.upstream import (
    LAST_MESSAGE_GRACE_S,
    LOOK_INTERVAL_S,
    RelayedUpstream,
    ResultUpstream,
)
from resource_server.relay.base import RelayFailed, RelayStream

_EVENT_STREAM = "text/event-stream"
_HeadTask = asyncio.Task[tuple[int, Mapping[str, str]] | None]


async def open_result(flight: Flight) -> Upstream:
    """The answer of a function that does not relay. Raises `UpstreamUnavailable`, `UpstreamTimeout`."""
    if not await flight.wait_for_result(flight.left_s()):
        raise UpstreamTimeout("the deadline passed before the task had a result")
    answer = _find_answer(flight)
    if answer is None or answer.body is None:
        raise UpstreamUnavailable("the task's result holds no answer")
    return _build_upstream(flight, answer, answer.body)


async def open_relayed(flight: Flight, stream: RelayStream) -> Upstream:
    """The answer of our function. Raises `UpstreamUnavailable`, `UpstreamTimeout`."""
    head = asyncio.create_task(stream.head(flight.left_s()), name="relay-head")
    try:
        while not head.done():
            answer = _find_answer(flight)
            if answer is not None and answer.body is not None:
                return _build_upstream(flight, answer, answer.body)
            if answer is not None:
                await asyncio.wait({head}, timeout=LAST_MESSAGE_GRACE_S)
                break
            await _check_function(flight, stream)
            await _wait_for_news(flight, head)
        status, headers = _find_head(flight, head)
        return RelayedUpstream(flight, stream, status, headers)
    finally:
        if not head.cancel() and not head.cancelled():
            head.exception()  # looked at, so that a failure nobody needs any more is not logged


def _find_answer(flight: Flight) -> Answer | None:
    try:
        return flight.find_answer()
    except TaskFailed as exc:
        raise unavailable(exc) from exc


def _build_upstream(flight: Flight, answer: Answer, body: bytes) -> Upstream:
    """The answer as it came, or as a stream where a stream was asked for."""
    headers = answer.headers
    is_stream = headers["content-type"].startswith(_EVENT_STREAM)
    if flight.call.stream and answer.status == HTTPStatus.OK and not is_stream:
        try:
            body = build_events(body)
        except ValueError as exc:
            raise UpstreamUnavailable(f"the answer cannot be streamed: {exc}") from exc
        headers = {**headers, "content-type": f"{_EVENT_STREAM}; charset=utf-8"}
    return ResultUpstream(flight, answer.status, headers, body)


async def _check_function(flight: Flight, stream: RelayStream) -> None:
    if not await stream.started(0):
        if flight.is_late():
            raise UpstreamUnavailable("the task did not begin in time")
    elif flight.is_silent():
        raise UpstreamUnavailable("the function fell silent before its answer")


async def _wait_for_news(flight: Flight, head: _HeadTask) -> None:
    waited: list[asyncio.Future[Any]] = [head]
    if flight.task is not None and not flight.task.result.done():
        waited.append(flight.task.result)
    await asyncio.wait(waited, timeout=min(LOOK_INTERVAL_S, flight.left_s()), return_when=asyncio.FIRST_COMPLETED)


def _find_head(flight: Flight, head: _HeadTask) -> tuple[int, Mapping[str, str]]:
    flight.left_s()
    try:
        found = head.result() if head.done() else None
    except RelayFailed as exc:
        raise UpstreamUnavailable(f"the function failed: {exc}") from exc
    if found is None:
        raise UpstreamUnavailable("the task ended, but its relayed answer did not come")
    return found
