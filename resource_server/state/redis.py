"""State in Redis (or Valkey), shared by the workers of a deployment. Every key ends by itself.

All of it raises `RedisUnavailable` where the protocols of `state.base` promise none: `state.fallback` stands before it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from resource_server.state import redis_scripts
from resource_server.state.redis_link import RedisLink
from resource_server.state.redis_wire import RedisRefused, RedisUnavailable

MAILBOX_TTL_MS = 60_000
_RECEIVE_COUNT = 256
_LATENESS_S = 1.0
"""How long a blocking read may take beyond the time it asked for."""


class RedisKeyValue:
    """See `KeyValue`."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def get(self, key: str) -> bytes | None:
        """As `KeyValue.get`."""
        value = await self._link.execute("GET", f"gw:kv:{key}")
        if value is None or isinstance(value, bytes):
            return value
        raise _unexpected(value)

    async def set(self, key: str, value: bytes, ttl_s: float) -> None:
        """As `KeyValue.set`."""
        await self._link.execute("SET", f"gw:kv:{key}", value, "PX", _milliseconds(ttl_s))

    async def delete(self, key: str) -> None:
        """As `KeyValue.delete`."""
        await self._link.execute("DEL", f"gw:kv:{key}")


class RedisLeases:
    """See `Leases`."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def acquire(self, name: str, owner: str, ttl_s: float) -> bool:
        """As `Leases.acquire`."""
        key = f"gw:lease:{name}"
        taken = await redis_scripts.ACQUIRE.run(self._link, key, owner, _milliseconds(ttl_s))
        return _integer(taken) == 1

    async def release(self, name: str, owner: str) -> None:
        """As `Leases.release`."""
        await redis_scripts.RELEASE.run(self._link, f"gw:lease:{name}", owner)


class RedisPacer:
    """See `Pacer`."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def reserve(self, key: str, interval_s: float, burst: int = 1) -> float:
        """As `Pacer.reserve`."""
        interval_us = round(interval_s * 1e6)
        wait_us = await redis_scripts.RESERVE.run(self._link, f"gw:pace:{key}", interval_us, burst)
        return _integer(wait_us) / 1e6


@dataclass(slots=True)
class _Reader:
    """The connection on which one mailbox is read, and the ids of what was read and is not yet deleted."""

    link: RedisLink
    read: list[bytes] = field(default_factory=list)


class RedisMailboxes:
    """Mailboxes as Redis Streams; each that is read here is waited for on a connection of its own.

    Args:
        link: sends.
        open_reader: makes the connection of a mailbox that is read here.
    """

    def __init__(self, link: RedisLink, open_reader: Callable[[str], RedisLink]) -> None:
        self._link = link
        self._open_reader = open_reader
        self._readers: dict[str, _Reader] = {}

    async def send(self, mailbox: str, message: bytes, max_messages: int) -> bool:
        """As `Mailboxes.send`."""
        key = f"gw:mail:{mailbox}"
        await redis_scripts.SEND.run(self._link, key, message, max_messages, MAILBOX_TTL_MS)
        return True

    async def receive(self, mailbox: str, wait_s: float) -> list[bytes]:
        """As `Mailboxes.receive`, for one reader of a mailbox. The last messages are removed by the next call."""
        reader = self._readers.get(mailbox)
        if reader is None:
            reader = self._readers[mailbox] = _Reader(self._open_reader(mailbox))
            await reader.link.open()
        entries = await _read(reader, f"gw:mail:{mailbox}", wait_s)
        reader.read = [entry_id for entry_id, _ in entries]
        return [message for _, message in entries if message is not None]

    async def aclose(self) -> None:
        """Close the readers' connections."""
        for reader in self._readers.values():
            await reader.link.aclose()


async def _read(reader: _Reader, key: str, wait_s: float) -> list[tuple[bytes, bytes | None]]:
    """Delete what was read before, and wait for more: one round trip."""
    link, block_ms = reader.link, max(1, round(wait_s * 1000))
    delete = [link.execute("XDEL", key, *reader.read)] if reader.read else []
    command = ("XREAD", "COUNT", _RECEIVE_COUNT, "BLOCK", block_ms, "STREAMS", key, "0")
    try:
        *_, reply = await asyncio.gather(*delete, link.execute(*command, wait_s=wait_s + _LATENESS_S))
    except asyncio.CancelledError:
        link.disconnect("a read was given up")  # it would block the connection until its time is over
        raise
    reader.read.clear()
    return _parse_entries(reply)


def _parse_entries(reply: object) -> list[tuple[bytes, bytes | None]]:
    """XREAD's reply on one stream → ids and messages; a message that we did not write is `None`."""
    match reply:
        case None:
            return []
        case [[bytes(), [*entries]]]:
            return [_parse_entry(entry) for entry in entries]
        case _:
            raise _unexpected(reply)


def _parse_entry(entry: object) -> tuple[bytes, bytes | None]:
    match entry:
        case [bytes(entry_id), [b"m", bytes(message)]]:
            return entry_id, message
        case [bytes(entry_id), _]:
            return entry_id, None
        case _:
            raise _unexpected(entry)


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _integer(reply: object) -> int:
    if isinstance(reply, int):
        return reply
    raise _unexpected(reply)


def _unexpected(reply: object) -> RedisUnavailable:
    return RedisRefused(f"unexpected reply of type {type(reply).__name__}")
