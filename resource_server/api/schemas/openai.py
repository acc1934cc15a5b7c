"""What OpenAPI says of request bodies: they name what the gateway reads and leave the rest open."""

from typing import Any

from resource_server.domain.operations import Operation


def _body(required: list[str], properties: dict[str, Any]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["model", *required],
        "properties": {
            "model": {"type": "string", "minLength": 1, "description": "A model id, as GET /v1/models lists them."},
            **properties,
        },
        "additionalProperties": True,
    }
    return {"required": True, "content": {"application/json": {"schema": schema}}}


_GENERATION: dict[str, Any] = {
    "stream": {"type": "boolean", "default": False},
    "stream_options": {"type": "object", "properties": {"include_usage": {"type": "boolean"}}},
    "max_tokens": {"type": "integer", "minimum": 0},
    "n": {"type": "integer", "minimum": 1},
}

REQUEST_BODIES: dict[Operation, dict[str, Any]] = {
    Operation.CHAT_COMPLETIONS: _body(
        ["messages"],
        {"messages": {"type": "array", "minItems": 1, "items": {"type": "object"}}, **_GENERATION},
    ),
    Operation.COMPLETIONS: _body(["prompt"], {"prompt": {}, **_GENERATION}),
    Operation.EMBEDDINGS: _body(
        ["input"], {"input": {}, "encoding_format": {"type": "string", "enum": ["float", "base64"]}}
    ),
}
