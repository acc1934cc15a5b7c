"""Opens the state that the settings ask for."""

from resource_server.state.base import State
from resource_server.state.memory import MemoryState


async def open_state(redis_url: str | None, workers: int) -> State:
    """The state of this process: Redis with memory behind it, or memory alone.

    Args:
        redis_url: ``redis://`` or ``rediss://``; `None` keeps everything in this process.
        workers: how many processes share a paced rate; each takes its part of it while Redis is away.
    """
    if redis_url is None:
        return MemoryState()
    raise NotImplementedError
