"""The loop of production has transports of its own."""

import uvloop

from resource_server.state.build import open_state
from tests.servers.redis import RedisServer


async def _use(address: str) -> None:
    state = await open_state(address, workers=1)
    try:
        assert not state.is_degraded()
        await state.key_value.set("token", b"alice", 60)
        assert await state.key_value.get("token") == b"alice"
        await state.mailboxes.send("worker", b"hello", 10)
        assert await state.mailboxes.receive("worker", 1) == [b"hello"]
        assert await state.mailboxes.receive("worker", 0.01) == []
        assert not state.is_degraded()
    finally:
        await state.aclose()


def test_state_in_redis_under_uvloop(redis_server: RedisServer) -> None:
    uvloop.run(_use(redis_server.address))
