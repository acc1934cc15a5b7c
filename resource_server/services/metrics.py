"""What becomes of requests, counted. Labels come from the catalogue and fixed words, never from a client."""

from resource_server.accounting.record import RequestRecord
from resource_server.domain.errors import (
    BackendError,
    DeadlineExceeded,
    GatewayError,
    Maintenance,
    ModelLoading,
    ModelOffline,
    Overloaded,
    StreamInterrupted,
)
from resource_server.domain.operations import Operation
from resource_server.telemetry.series import (
    CANCELLATIONS,
    CLUSTERS,
    ERRORS,
    MODELS,
    REFUSALS,
    REQUEST_DURATION,
    REQUESTS,
    STREAMS_BROKEN,
    TIME_PER_OUTPUT_TOKEN,
    TIME_TO_FIRST_TOKEN,
    TOKEN_USAGE,
    TOKENS,
)

GEN_AI_OPERATIONS = {
    Operation.CHAT_COMPLETIONS.value: "chat",
    Operation.COMPLETIONS.value: "text_completion",
    Operation.EMBEDDINGS.value: "embeddings",
}
"""The conventions' words."""
_FAILURES = frozenset(error.code for error in (GatewayError, BackendError, StreamInterrupted, DeadlineExceeded))
"""Of the gateway or a target: no refusals."""
_NO_ENTRY = frozenset(error.code for error in (Overloaded, ModelLoading, ModelOffline, Maintenance))
"""Refusals at a target's door; other codes, once there is a target, are its own refusals."""


def count_error(code: str) -> None:
    """Count one error by its code, which is one of ``docs/errors.md``."""
    ERRORS.inc(code)


def count_request(record: RequestRecord, first_content_s: float | None) -> None:
    """Count one finished request, whose first content was sent so many seconds after it came in; `None` for never."""
    duration_s = record.duration_ms / 1000
    REQUESTS.inc(record.operation, record.cluster, str(record.status), record.error_code)
    REQUEST_DURATION.observe(GEN_AI_OPERATIONS[record.operation], record.cluster, amount=duration_s)
    if record.cancelled:
        CANCELLATIONS.inc("none" if first_content_s is None else "begun")
    if record.error_code and is_refusal(record):
        REFUSALS.inc(record.error_code)
    CLUSTERS.note(record.cluster)
    if record.target_model:
        _count_answer(record, duration_s, first_content_s)


def is_refusal(record: RequestRecord) -> bool:
    """Whether it was the gateway that turned the request away."""
    return record.error_code in _NO_ENTRY if record.target_model else record.error_code not in _FAILURES


def _count_answer(record: RequestRecord, duration_s: float, first_content_s: float | None) -> None:
    model = record.target_model
    MODELS.note(model)
    if record.prompt_tokens:
        TOKENS.inc(record.cluster, "prompt", by=record.prompt_tokens)
        TOKEN_USAGE.observe("input", model, amount=record.prompt_tokens)
    if record.completion_tokens:
        TOKENS.inc(record.cluster, "completion", by=record.completion_tokens)
        TOKEN_USAGE.observe("output", model, amount=record.completion_tokens)
    if first_content_s is None:
        return
    TIME_TO_FIRST_TOKEN.observe(model, amount=first_content_s)
    if record.error_code:
        STREAMS_BROKEN.inc(record.cluster)
    elif record.cancelled:
        return
    elif record.completion_tokens and record.completion_tokens > 1:
        TIME_PER_OUTPUT_TOKEN.observe(model, amount=(duration_s - first_content_s) / (record.completion_tokens - 1))
