from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from resource_server.relay.base import Relay
from resource_server.relay.local import RelayLimits
from resource_server.relay.relay import open_relay
from resource_server.state.base import State
from resource_server.state.build import open_state
from tests.servers.redis import RedisServer

SECRET = b"master"
StartWorker = Callable[..., Awaitable[tuple[State, Relay]]]


@pytest.fixture
async def start_worker(redis_server: RedisServer) -> AsyncIterator[StartWorker]:
    """Starts a worker: its state and its relay. All are closed after the test."""
    async with AsyncExitStack() as stack:

        async def start(worker_id: str, limits: RelayLimits | None = None) -> tuple[State, Relay]:
            state = await open_state(redis_server.address, workers=2)
            stack.push_async_callback(state.aclose)
            relay = await open_relay(state, "https://gateway/relay", SECRET, worker_id, limits)
            stack.push_async_callback(relay.aclose)
            return state, relay

        yield start
