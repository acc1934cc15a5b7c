"""`parse_json`: one meaning only."""

import json
import re

import orjson
import pytest

from resource_server.domain.body import parse_json
from resource_server.domain.errors import InvalidValue
from resource_server.domain.strict_json import MAX_CONTAINERS


def nested(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"a": 1} x', "not JSON"),
        (b"[1]", "JSON object"),
        (b'"text"', "JSON object"),
        (b"null", "JSON object"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": Infinity}', "Infinity"),
        (b'{"a": -Infinity}', "Infinity"),
        (b'{"a": 1e999}', "infinity"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "UTF-8"),
        (rb'{"a": "\ud800"}', "surrogate"),
        (rb'{"\udc00": 1}', "surrogate"),
        (rb'{"a": "x\u0000"}', "NUL"),
        (rb'{"a": [{"\u0000": 1}]}', "NUL"),
        (b'{"a": "\x00"}', "not JSON"),
        (nested(65), "64 levels"),
        (b'{"\\\\":' + nested(64) + b"}", "64 levels"),
        (nested(20_000), "64 levels"),
        (b"[" * 20_000, "64 levels"),
        (b"[" * 100_000, "objects and arrays"),
        (b'{"a": [' + b",".join([b"{}"] * MAX_CONTAINERS) + b"]}", "objects and arrays"),
        (b'{"a": [' + b",".join([b'{"b": "}", "c": "d", "e": "f"}'] * MAX_CONTAINERS) + b"]}", "objects and arrays"),
    ],
)
def test_document_with_no_single_meaning_is_refused_in_words(raw: bytes, words: str) -> None:
    with pytest.raises(InvalidValue, match=re.escape(words)):
        parse_json(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a": 1, "a": 2}',
        b'{"a" : 1, "a"\n:2}',
        b'{"a":1, "a" :2}',
        rb'{"t":"\" :", "a":1, "a" :2}',
        b'{"x": {"a": 1, "b": [], "a": 1}}',
        b'{"x": [1, [{"a": 1, "a": 1}]]}',
        b'{"a": {"b": 1}, "a": {"b": 1, "c": 1}}',
        rb'{"a": 1, "\u0061": 2}',
        rb'{"a\\": 1, "a\\": 2}',
        rb'{"a\\": {"c": 1}, "a\\": {"d": 2}}',
        rb'{"a\"": 1, "a\"": 2}',
        rb'{"t": "\":\":", "a": 1, "a": 2}',
        rb'{"t": "\" :", "a\\" : {"x": 1}, "a\\" : 1}',
    ],
)
def test_duplicate_key_however_written_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidValue, match="appears twice"):
        parse_json(raw)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"a": {"a": {"a": 1}}, "b": [{"a": 1}, {"a": 2}]},
        {"prompt": '{"a": 1, "a": 2} and "b" : "c\\": d'},
        {"prompt": "literally \\u0000, no NUL"},
        {"prompt": '{["' * MAX_CONTAINERS},
        {"prompt": [[]] * (MAX_CONTAINERS - 2)},
        {'"quoted": ': '":', "back\\slash\\": "\\"},
        {"emoji": "\U0001f642", "": ""},
        {"deep": json.loads(nested(63))},
    ],
)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (" , ", " : ")])
def test_document_with_one_meaning_is_read_as_written(document: dict[str, object], separators: tuple[str, str]) -> None:
    assert parse_json(json.dumps(document, separators=separators).encode()) == document
    assert parse_json(orjson.dumps(document)) == document


def test_errors_do_not_repeat_the_body() -> None:
    with pytest.raises(InvalidValue) as caught:
        parse_json(b'{"prompt": "my secret" oops}')
    assert "secret" not in caught.value.message
