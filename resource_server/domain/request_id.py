"""The id of the request that is being served, wherever its work has led."""

import random
from contextvars import ContextVar

CURRENT: ContextVar[str] = ContextVar("request_id", default="")
"""Empty outside of requests. Tasks and threads that a request starts inherit it."""


def make_request_id() -> str:
    """A new one: a name, no secret, so it needs no system call."""
    return f"req_{random.getrandbits(96):024x}"
