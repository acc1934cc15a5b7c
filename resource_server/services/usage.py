"""What an answer cost, from the framework's own count where there is one."""

import orjson

from resource_server.domain.sse import StreamTap
from resource_server.domain.usage import Usage


def usage_of_answer(body: bytes) -> Usage | None:
    """The ``usage`` of a whole JSON answer."""
    # The tail is enough to skip parsing where no usage can be.
    if b'"usage"' not in body:
        return None
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return Usage.from_json(document.get("usage")) if isinstance(document, dict) else None


def usage_of_stream(tap: StreamTap | None) -> tuple[Usage | None, bool]:
    """The usage of a stream, and whether it is an estimate: content events, where the framework's count never came."""
    if tap is None:
        return None, False
    if tap.usage is not None:
        return tap.usage, False
    return Usage(completion_tokens=tap.events), True
