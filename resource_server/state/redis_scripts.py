"""What must happen in Redis at once: Lua scripts, called by their hash.

They take whatever lies under their key for nothing when it is not what they wrote: a wrong type, no number, no end.
"""

from hashlib import sha1
from typing import Any

from resource_server.state.redis_link import RedisLink
from resource_server.state.redis_wire import Argument, RedisRefused


class Script:
    """A script on one key."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._sha = sha1(text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, link: RedisLink, key: str, *arguments: Argument) -> Any:
        """The script's reply. Redis learns the text again when it forgot it.

        Raises:
            RedisUnavailable, RedisRefused: as `RedisLink.execute`.
        """
        try:
            return await link.execute("EVALSHA", self._sha, 1, key, *arguments)
        except RedisRefused as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
        return await link.execute("EVAL", self._text, 1, key, *arguments)


ACQUIRE = Script("""
local holder = redis.pcall('GET', KEYS[1])
if holder and holder ~= ARGV[1] and redis.call('PTTL', KEYS[1]) > 0 then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
""")
"""Lease; owner, milliseconds → 1 if the owner holds it now."""

RELEASE = Script("""
if redis.pcall('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
return 1
""")
"""Lease; owner."""

RESERVE = Script("""
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval = tonumber(ARGV[1])
local due = tonumber(redis.pcall('GET', KEYS[1]))
if not due or due < now or due > now + 3600000000 then
  due = now
end
local next_due = due + interval
local ttl = math.ceil((next_due - now) / 1000) + 1000
redis.call('SET', KEYS[1], string.format('%.0f', next_due), 'PX', string.format('%.0f', ttl))
return math.max(0, due - (tonumber(ARGV[2]) - 1) * interval - now)
""")
"""GCRA by Redis's own clock. Paced key; microseconds between turns, burst → microseconds to wait.

A turn due in more than an hour is none that this script promised."""

SEND = Script("""
if redis.call('TYPE', KEYS[1]).ok ~= 'stream' then
  redis.call('DEL', KEYS[1])
end
redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[2], '*', 'm', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
""")
"""Mailbox; message, most messages kept, milliseconds after which a mailbox that nobody reads is gone."""
