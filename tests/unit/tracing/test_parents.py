"""A client's ``traceparent`` is taken strictly or not at all."""

import pytest

from resource_server.tracing.parents import Parent, encode_traceparent, find_parent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
VALID = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    ("header", "is_sampled"),
    [
        (VALID, True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-03", True),
        (f"00-{TRACE}-{SPAN}-02", False),
        (f"cc-{TRACE}-{SPAN}-01", True),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-holds", True),
    ],
)
def test_valid_header_names_the_parent(header: str, *, is_sampled: bool) -> None:
    assert find_parent([header.encode()]) == Parent(int(TRACE, 16), int(SPAN, 16), is_sampled)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        VALID.upper(),
        f" {VALID}",
        f"{VALID}\n",
        f"{VALID}-more",
        f"{VALID}1",
        f"ff-{TRACE}-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01more",
        f"cc-{TRACE}-{SPAN}-01-{'x' * 1000}",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0g",
        f"00-{TRACE}-{SPAN}",
        f"00_{TRACE}_{SPAN}_01",
        f"00-{TRACE[:-1]}é-{SPAN}-01",
    ],
)
def test_what_is_not_valid_is_passed_over(header: str) -> None:
    assert find_parent([header.encode("latin-1")]) is None


def test_no_header_and_two_name_nobody() -> None:
    assert find_parent([]) is None
    assert find_parent([VALID.encode(), VALID.encode()]) is None


def test_what_is_written_is_read_again() -> None:
    parent = Parent(1, 2, is_sampled=True)
    header = encode_traceparent(parent.trace_id, parent.span_id, is_sampled=True)
    assert len(header) == 55
    assert find_parent([header.encode()]) == parent
