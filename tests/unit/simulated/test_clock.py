"""An answer played by a clock that runs as it likes."""

import asyncio
from collections.abc import Iterator

from resource_server.backends.simulated.script import JSON, Piece, Script
from resource_server.backends.simulated.upstream import SimulatedUpstream

ANSWER = b'{"id": "whole"}'


def test_whole_answer_survives_a_loop_that_wakes_a_little_early() -> None:
    # As opening sees it: the start, the sleep's end just before the answer is due, and all that comes after it.
    times = iter([0.0, 0.0, 0.0099])

    async def play() -> bytes | None:
        script = Script(200, JSON, iter([Piece(0.01, ANSWER)]), opens_at_s=0.01)
        upstream = SimulatedUpstream(
            script, deadline=60.0, count_tokens=lambda _: None, clock=lambda: next(times, 0.02)
        )
        await upstream.open()
        return await upstream.read(1.0)

    assert asyncio.run(play()) == ANSWER


async def test_tokens_are_counted_up_to_the_moment_at_which_a_caller_leaves() -> None:
    counted: list[int] = []
    now: Iterator[float] = iter([0.0, 0.0])
    script = Script(200, JSON, iter([Piece(1.0, b"", 1), Piece(2.0, b"", 1), Piece(90.0, ANSWER, 1)]), opens_at_s=90.0)
    upstream = SimulatedUpstream(script, deadline=100.0, count_tokens=counted.append, clock=lambda: next(now, 2.5))
    opening = asyncio.ensure_future(upstream.open())
    await asyncio.sleep(0)
    opening.cancel()
    await asyncio.gather(opening, return_exceptions=True)
    assert counted == [1, 1]
