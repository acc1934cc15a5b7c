from collections.abc import AsyncIterator

import pytest

from resource_server.state.base import State
from resource_server.state.build import open_state
from tests.servers.redis import RedisServer


@pytest.fixture
async def state(redis_server: RedisServer) -> AsyncIterator[State]:
    """One worker's state."""
    state = await open_state(redis_server.address, workers=4)
    yield state
    await state.aclose()


@pytest.fixture
async def other(redis_server: RedisServer) -> AsyncIterator[State]:
    """Another worker's state."""
    state = await open_state(redis_server.address, workers=4)
    yield state
    await state.aclose()
