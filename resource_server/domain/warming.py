"""The smallest request that shows a model to be serving."""

import orjson

from resource_server.domain.operations import Operation
from resource_server.domain.targets import Target

_WORD = "."
_BODIES: dict[Operation, dict[str, object]] = {
    Operation.CHAT_COMPLETIONS: {"messages": [{"role": "user", "content": _WORD}], "max_tokens": 1},
    Operation.COMPLETIONS: {"prompt": _WORD, "max_tokens": 1},
    Operation.EMBEDDINGS: {"input": _WORD},
}


def find_warming_operation(target: Target) -> Operation:
    """The first of the target's operations that has a small request."""
    return next((operation for operation in _BODIES if operation in target.operations), Operation.CHAT_COMPLETIONS)


def build_warming_body(target: Target, operation: Operation) -> bytes:
    """The JSON to send: one token at most."""
    return orjson.dumps({"model": target.model, **_BODIES[operation]})
