"""Deterministic embeddings: equal texts have equal vectors, of length 1."""

import base64
import hashlib
import math
import struct
from typing import Any

import orjson

from resource_server.backends.simulated.prompts import Refused, count_tokens, input_texts
from resource_server.backends.simulated.script import JSON, Piece, Script
from resource_server.domain.targets import SimulatedTarget

DIMENSIONS = 64
_MAX_DIMENSIONS = 4096
_MIDDLE = 2**31


def build_embeddings(document: dict[str, Any], target: SimulatedTarget) -> Script:
    """The script of an embeddings request. Raises `Refused`."""
    encoding = document.get("encoding_format") or "float"
    if encoding not in {"float", "base64"}:
        raise Refused("encoding_format must be 'float' or 'base64'", "encoding_format")
    dimensions = DIMENSIONS if document.get("dimensions") is None else document["dimensions"]
    if not isinstance(dimensions, int) or not 1 <= dimensions <= _MAX_DIMENSIONS:
        raise Refused(f"dimensions must be between 1 and {_MAX_DIMENSIONS}", "dimensions")
    texts = input_texts(document.get("input"))
    data = [
        {"object": "embedding", "index": i, "embedding": _encode(_embed(text, dimensions), encoding)}
        for i, text in enumerate(texts)
    ]
    tokens = count_tokens(texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    body = orjson.dumps({"object": "list", "data": data, "model": target.model, "usage": usage})
    at_s = target.first_token_ms / 1000
    pieces = [Piece(at_s, body[: len(body) // 2]), Piece(at_s, body[len(body) // 2 :])]
    return Script(200, JSON, iter(pieces), opens_at_s=at_s, half=1, content=1)


def _embed(text: str, dimensions: int) -> list[float]:
    numbers = struct.unpack(f"<{dimensions}I", hashlib.shake_256(text.encode()).digest(4 * dimensions))
    values = [number - _MIDDLE for number in numbers]
    length = math.hypot(*values)
    return [value / length for value in values]


def _encode(vector: list[float], encoding: str) -> list[float] | str:
    """As it is, or as the base64 of little-endian 32-bit floats that SDKs ask for."""
    return vector if encoding == "float" else base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
