"""The tree of failures, its drawing, and the wire contract agree. ``docs/errors.md`` is generated (`make check`)."""

import re
from collections.abc import Iterator

import pytest

from resource_server.domain import errors
from resource_server.domain.errors import GatewayError

# What SDKs retry by themselves although a retry cannot help, or parse as an answer.
FORBIDDEN_STATUSES = {202, 408, 409}
TYPES = {
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "rate_limit_error",
    "insufficient_quota",
    "server_error",
}


def list_errors(root: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    yield root
    for child in root.__subclasses__():
        yield from list_errors(child)


EVERY = [error for error in list_errors() if error.__module__ == errors.__name__]


@pytest.mark.parametrize("error", EVERY, ids=lambda error: error.__name__)
def test_error_stands_in_the_drawing_with_its_status(error: type[GatewayError]) -> None:
    drawing = errors.__doc__ or ""
    line = re.search(rf"\b{error.__name__}\b.*", drawing)
    assert line is not None
    drawn = re.search(r"\b(\d{3}|4xx)\b", line[0])
    # Below the first of a family the status is not repeated.
    assert drawn is None or drawn[0] in {str(error.status), "4xx"}


@pytest.mark.parametrize("error", EVERY, ids=lambda error: error.__name__)
def test_error_fits_the_wire_contract(error: type[GatewayError]) -> None:
    assert error.status not in FORBIDDEN_STATUSES
    assert 400 <= error.status < 600
    assert error.type in TYPES
    assert (error.type == "server_error") == (error.status >= 500)
    assert re.fullmatch(r"[a-z_]+", error.code)


def test_codes_are_unique() -> None:
    codes = [error.code for error in EVERY if error is not errors.UpstreamRejected]  # it carries the framework's own
    assert len(set(codes)) == len(codes)


def test_no_failure_is_defined_elsewhere() -> None:
    assert set(list_errors()) == set(EVERY)
