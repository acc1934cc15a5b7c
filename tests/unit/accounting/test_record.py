import orjson
import pytest

from resource_server.accounting.record import decode_record, encode_record
from tests.unit.accounting.records import record


def test_record_survives_its_line() -> None:
    original = record(prompt_tokens=None, first_byte_ms=None, model="日本語\n")
    line = encode_record(original)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode_record(line) == original


def test_name_that_is_no_unicode_does_not_fail_the_request() -> None:
    assert decode_record(encode_record(record(username="alice\ud800"))).username == "alice?"


def test_count_beyond_all_sense_does_not_fail_the_request() -> None:
    assert decode_record(encode_record(record(total_tokens=10**30))).total_tokens == 2**63 - 1


def test_field_of_another_version_is_passed_over() -> None:
    original = record()
    line = orjson.dumps({**orjson.loads(encode_record(original)), "invented_later": 1})
    assert decode_record(line) == original


@pytest.mark.parametrize("line", [b"", b"\n", b'{"request_id":"a', b"[]", b"{}", b'{"request_id":"a"}\n'])
def test_torn_line_is_a_value_error(line: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode_record(line)
