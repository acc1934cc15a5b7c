"""What a stream cost, from the framework's own count where there is one."""

from resource_server.domain.sse import StreamTap
from resource_server.domain.usage import Usage


def usage_of_stream(tap: StreamTap | None) -> tuple[Usage | None, bool]:
    """The usage of a stream, and whether it is an estimate: content events, where the framework's count never came."""
    if tap is None:
        return None, False
    if tap.usage is not None:
        return tap.usage, False
    return Usage(completion_tokens=tap.events), True
