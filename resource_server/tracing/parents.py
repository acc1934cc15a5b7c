"""W3C Trace Context, as a client sends it: untrusted, so nothing but its numbers is taken over.

Source: https://www.w3.org/TR/trace-context/#traceparent-header
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_FORM = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.{0,200})?", re.DOTALL)
_SAMPLED = 0x01


@dataclass(frozen=True, slots=True)
class Parent:
    """The span that a request is part of.

    Attributes:
        is_sampled: whether the client's side records the trace.
    """

    trace_id: int
    span_id: int
    is_sampled: bool


def find_parent(values: Sequence[bytes]) -> Parent | None:
    """What the ``traceparent`` headers of a request name; `None` unless it is one valid header."""
    form = _FORM.fullmatch(values[0]) if len(values) == 1 else None
    if form is None:
        return None
    version, trace_id, span_id, flags, more = form.groups()
    if version == b"ff" or (version == b"00" and more) or not int(trace_id, 16) or not int(span_id, 16):
        return None
    return Parent(int(trace_id, 16), int(span_id, 16), bool(int(flags, 16) & _SAMPLED))


def encode_traceparent(trace_id: int, span_id: int, *, is_sampled: bool) -> str:
    """The header for whoever works on behalf of a span."""
    return f"00-{trace_id:032x}-{span_id:016x}-{int(is_sampled):02x}"
