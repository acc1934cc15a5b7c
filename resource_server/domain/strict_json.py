"""JSON objects as the gateway accepts them from clients: one meaning only, whatever parser reads them next.

A parser that keeps the first of two equal keys and one that keeps the last would see different requests, so
duplicates are refused; so are NaN, NUL characters, nesting that a recursive parser could not survive, and so many
objects and arrays that reading them would hold up everybody else.
"""

import json
import re
from collections.abc import Collection, Iterable
from itertools import islice
from typing import TypeAlias

import orjson

from resource_server.domain.errors import InvalidValue

MAX_DEPTH = 64
"""Levels of nested objects and arrays; the document itself is the first."""

MAX_CONTAINERS = 50_000
"""Objects and arrays in one body: reading these takes some 20 ms, and ten times as many would stop the event loop."""

_MAX_TOKEN_BLOCKS = 4
_TOKEN = re.compile(rb'[{\[]|"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
"""The beginning of a container, or a whole string, in which braces are text."""
_SPACED_COLON = re.compile(rb'"\s+:')
_ESCAPED_SPACED_COLON = re.compile(rb'\\"\s+:')
_Container: TypeAlias = dict[str, object] | list[object]
_CONTAINER_TYPES = (dict, list)
_CONTAINERS = frozenset(_CONTAINER_TYPES)
_TOO_DEEP = f"The request body is nested deeper than {MAX_DEPTH} levels."
_QUOTE = ord('"')
_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")  # gzip, zstd
_CONSTANTS = ("NaN", "Infinity")


def parse_json(raw: bytes) -> dict[str, object]:
    """The JSON object in `raw`, in time linear in its length.

    Raises:
        InvalidValue: not UTF-8, not JSON, not an object, NaN or Infinity, a number beyond doubles, a duplicate
            key, more than `MAX_DEPTH` levels or `MAX_CONTAINERS` containers, a NUL character or half a surrogate pair
            in a string.
    """
    _check_containers(raw)
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as exc:
        raise InvalidValue(_explain(raw, exc)) from exc
    if type(document) is not dict:
        raise InvalidValue("The request body must be a JSON object.")
    keys = _count_keys(document)
    # Only a key that ends in a backslash is written with these three bytes; the count would miss it.
    if b'\\\\"' in raw or keys != _count_key_tokens(raw):
        _check_duplicates(raw)
    # After an even number of backslashes the same characters are text.
    if b"\\u0000" in raw and b"\\u0000" in raw.replace(b"\\\\", b"__"):
        raise InvalidValue("A string of the request body holds a NUL character (\\u0000): remove it.")
    return document


def _check_containers(raw: bytes) -> None:
    if raw.count(b"{") + raw.count(b"[") <= MAX_CONTAINERS:
        return  # nearly always: braces within strings are counted only where they could matter
    tokens = _TOKEN.finditer(raw)
    containers = 0
    for _ in range(_MAX_TOKEN_BLOCKS):
        block = [raw[token.start()] for token in islice(tokens, MAX_CONTAINERS)]
        containers += len(block) - block.count(_QUOTE)
        if containers > MAX_CONTAINERS:
            break
        if len(block) < MAX_CONTAINERS:
            return
    raise InvalidValue(f"The request body holds more than {MAX_CONTAINERS} objects and arrays: send less at once.")


def _count_key_tokens(raw: bytes) -> int:
    """How many keys are written in valid JSON none of whose keys ends in a backslash.

    Inside a string every quote follows a backslash, so a bare quote before a colon always ends a key.
    """
    count = raw.count(b'":') + len(_SPACED_COLON.findall(raw))
    if b'\\"' in raw:
        count -= raw.count(b'\\":') + len(_ESCAPED_SPACED_COLON.findall(raw))
    return count


def _count_keys(document: dict[str, object]) -> int:
    """The number of keys in the tree, level by level, so that its depth costs nothing to check."""
    keys = 0
    level: list[_Container] = [document]
    for _ in range(MAX_DEPTH):
        below: list[_Container] = []
        for node in level:
            if isinstance(node, dict):
                keys += len(node)
                below += _get_containers(node.values())
            else:
                below += _get_containers(node)
        if not below:
            return keys
        level = below
    raise InvalidValue(_TOO_DEEP)


def _get_containers(values: Collection[object]) -> Iterable[_Container]:
    # The types are compared in C; most nodes are leaves' parents and end here.
    if _CONTAINERS.isdisjoint(map(type, values)):
        return ()
    return [value for value in values if isinstance(value, _CONTAINER_TYPES)]


def _check_duplicates(raw: bytes) -> None:
    def refuse_duplicates(pairs: list[tuple[str, object]]) -> None:
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise InvalidValue(f"The key {key[:100]!r} appears twice in one object of the request body.")
            seen.add(key)

    json.loads(raw, object_pairs_hook=refuse_duplicates)


def _explain(raw: bytes, exc: orjson.JSONDecodeError) -> str:
    if raw.startswith(_COMPRESSED):
        return "The request body is compressed: send it as it is, without Content-Encoding."
    if "depth limit" in exc.msg:
        return _TOO_DEEP
    if raw.decode(errors="replace")[exc.pos :].startswith(_CONSTANTS):
        return f"The request body is not JSON: NaN and Infinity are no JSON numbers (character {exc.pos})."
    return f"The request body is not JSON: {exc}."
