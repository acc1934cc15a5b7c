"""The envelope."""

import json
from collections.abc import Iterator

import pytest

from resource_server.domain import errors
from resource_server.domain.errors import GatewayError, Overloaded, UpstreamRejected


def all_errors(kind: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from all_errors(child)


@pytest.mark.parametrize("kind", list(all_errors()), ids=lambda kind: kind.__name__)
def test_every_error_has_its_envelope_and_its_place_in_the_tree(kind: type[GatewayError]) -> None:
    error = UpstreamRejected("m", status=422) if kind is UpstreamRejected else kind("m", param="p")
    document = json.loads(error.encode())
    assert set(document["error"]) == {"message", "type", "param", "code"}
    assert 400 <= error.http_status < 600
    assert error.http_status != 408
    assert kind.__name__ in (errors.__doc__ or "")


def test_retry_after_stays_between_one_second_and_a_minute() -> None:
    assert Overloaded("m", retry_after_s=0).headers["retry-after"] == "1"
    assert Overloaded("m", retry_after_s=900).headers["retry-after"] == "60"


def test_upstreams_own_code_is_kept_where_it_is_text() -> None:
    assert (
        json.loads(UpstreamRejected("m", status=400, code="context_length").encode())["error"]["code"]
        == "context_length"
    )
