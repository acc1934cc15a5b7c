"""Opens the state that the settings ask for."""

from resource_server.state.base import State
from resource_server.state.fallback import FallbackState
from resource_server.state.memory import MemoryState
from resource_server.state.redis import RedisMailboxes
from resource_server.state.redis_address import parse_redis_url
from resource_server.state.redis_link import RedisLink


async def open_state(redis_url: str | None, workers: int) -> State:
    """The state of this process: Redis with memory behind it, or memory alone. Redis may be away at the start.

    Args:
        redis_url: ``redis[s]://[[user]:password@]host[:port][/database]``; `None` or empty keeps all in this process.
        workers: how many processes share a paced rate; each takes its part of it while Redis is away.

    Raises:
        ValueError: `redis_url` is not such a URL.
    """
    if not redis_url:
        return MemoryState()
    address = parse_redis_url(redis_url)
    link = RedisLink(address, "state")
    mailboxes = RedisMailboxes(link, lambda mailbox: RedisLink(address, f"mailbox {mailbox}"))
    await link.open()
    return FallbackState(link, mailboxes, workers)
