"""Redis first, this process's memory behind it: no caller sees Redis fail.

| | while Redis is away |
|---|---|
| values | as a cold cache of this process; what it wrote meanwhile is not carried over |
| paced turns | this process takes its share of the rate, one of `workers` parts |
| leases | every process holds its own: all lead. A leader's work must be harmless when done twice, and paced |
| mailboxes | nothing is sent: the sender hears it, the reader hears silence |
"""

import asyncio

from resource_server.state.base import KeyValue, Leases, Mailboxes, Pacer
from resource_server.state.memory import MemoryKeyValue, MemoryLeases, MemoryPacer
from resource_server.state.redis import RedisKeyValue, RedisLeases, RedisMailboxes, RedisPacer
from resource_server.state.redis_link import RedisLink
from resource_server.state.redis_wire import RedisUnavailable

_RECEIVE_PAUSE_S = 0.5


class FallbackKeyValue:
    """See `KeyValue`."""

    def __init__(self, redis: RedisKeyValue) -> None:
        self._redis = redis
        self._memory = MemoryKeyValue()

    async def get(self, key: str) -> bytes | None:
        """As `KeyValue.get`."""
        try:
            return await self._redis.get(key)
        except RedisUnavailable:
            return await self._memory.get(key)

    async def set(self, key: str, value: bytes, ttl_s: float) -> None:
        """As `KeyValue.set`."""
        try:
            await self._redis.set(key, value, ttl_s)
        except RedisUnavailable:
            await self._memory.set(key, value, ttl_s)
        else:
            self._memory.discard(key)

    async def delete(self, key: str) -> None:
        """As `KeyValue.delete`. While Redis is away its own copy stays, until its time is over."""
        self._memory.discard(key)
        try:
            await self._redis.delete(key)
        except RedisUnavailable:
            return


class FallbackLeases:
    """See `Leases`."""

    def __init__(self, redis: RedisLeases) -> None:
        self._redis = redis
        self._memory = MemoryLeases()

    async def acquire(self, name: str, owner: str, ttl_s: float) -> bool:
        """As `Leases.acquire`."""
        try:
            return await self._redis.acquire(name, owner, ttl_s)
        except RedisUnavailable:
            return await self._memory.acquire(name, owner, ttl_s)

    async def release(self, name: str, owner: str) -> None:
        """As `Leases.release`. While Redis is away its lease runs out by itself."""
        await self._memory.release(name, owner)
        try:
            await self._redis.release(name, owner)
        except RedisUnavailable:
            return


class FallbackPacer:
    """See `Pacer`.

    Args:
        workers: how many processes share each rate.
    """

    def __init__(self, redis: RedisPacer, workers: int) -> None:
        self._redis = redis
        self._memory = MemoryPacer()
        self._workers = workers

    async def reserve(self, key: str, interval_s: float, burst: int = 1) -> float:
        """As `Pacer.reserve`."""
        try:
            return await self._redis.reserve(key, interval_s, burst)
        except RedisUnavailable:
            return await self._memory.reserve(key, interval_s * self._workers, max(1, burst // self._workers))


class FallbackMailboxes:
    """See `Mailboxes`."""

    def __init__(self, redis: RedisMailboxes) -> None:
        self._redis = redis

    async def send(self, mailbox: str, message: bytes, max_messages: int) -> bool:
        """As `Mailboxes.send`."""
        try:
            return await self._redis.send(mailbox, message, max_messages)
        except RedisUnavailable:
            return False

    async def receive(self, mailbox: str, wait_s: float) -> list[bytes]:
        """As `Mailboxes.receive`."""
        try:
            return await self._redis.receive(mailbox, wait_s)
        except RedisUnavailable:
            await asyncio.sleep(min(wait_s, _RECEIVE_PAUSE_S))
            return []


class FallbackState:
    """The shared state of a process that goes on without it."""

    key_value: KeyValue
    leases: Leases
    pacer: Pacer
    mailboxes: Mailboxes
    shared: bool = True

    def __init__(self, link: RedisLink, mailboxes: RedisMailboxes, workers: int) -> None:
        self._link = link
        self._redis_mailboxes = mailboxes
        self.key_value = FallbackKeyValue(RedisKeyValue(link))
        self.leases = FallbackLeases(RedisLeases(link))
        self.pacer = FallbackPacer(RedisPacer(link), workers)
        self.mailboxes = FallbackMailboxes(mailboxes)

    def is_degraded(self) -> bool:
        """As `State.is_degraded`."""
        return not self._link.is_up()

    async def aclose(self) -> None:
        """As `State.aclose`."""
        await self._redis_mailboxes.aclose()
        await self._link.aclose()
