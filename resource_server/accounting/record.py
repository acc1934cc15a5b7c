"""What is remembered of one request: who asked for what, and what it cost. No prompt, no answer, no token."""

from dataclasses import dataclass, fields

import orjson


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """One request, allowed or refused. The names are those of `models.RequestLog`.

    Lines of an older version may wait in the spool: a field that is added later needs a default.

    Attributes:
        request_id: the gateway's own id; one record each.
        received_at: POSIX seconds.
        sub, username, client_id: of the caller; empty where they were refused as unknown.
        method, operation: of the HTTP request, for example ``POST`` and ``chat/completions``.
        model: the public name asked for.
        cluster, framework, target_model: where it ran; empty where it did not.
        status: HTTP status that the client saw.
        error_code: of the envelope, or of the error event within a stream; empty for success.
        prompt_tokens, completion_tokens, total_tokens: `None` where nothing is known.
        first_byte_ms: `None` where no byte was sent.
        cancelled: the client left before the end.
        usage_estimated: the tokens were counted by the gateway, not by the framework.
    """

    request_id: str
    received_at: float
    sub: str
    username: str
    client_id: str
    method: str
    operation: str
    model: str
    cluster: str
    framework: str
    target_model: str
    status: int
    error_code: str
    stream: bool
    prompt_tokens: int | None
    completion_tokens: int | None
    total_tokens: int | None
    duration_ms: float
    first_byte_ms: float | None
    cancelled: bool
    usage_estimated: bool


_MAX_COUNT = 2**63 - 1
FIELDS = tuple(field.name for field in fields(RequestRecord))


def encode_record(record: RequestRecord) -> bytes:
    """One line of JSON, its line end included."""
    try:
        return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:  # half a surrogate pair, or a count beyond 64 bits, that came from elsewhere
        return orjson.dumps({name: _clean(getattr(record, name)) for name in FIELDS}, option=orjson.OPT_APPEND_NEWLINE)


def decode_record(line: bytes) -> RequestRecord:
    """The inverse of `encode_record`; fields that this version does not know are passed over.

    Raises:
        ValueError: the line is torn, or is no record.
    """
    document = orjson.loads(line)
    if not isinstance(document, dict):
        raise ValueError("the line is no JSON object")
    try:
        return RequestRecord(**{name: document[name] for name in FIELDS if name in document})
    except TypeError as exc:
        raise ValueError(str(exc)) from exc


def _clean(value: object) -> object:
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    return min(value, _MAX_COUNT) if isinstance(value, int) else value
