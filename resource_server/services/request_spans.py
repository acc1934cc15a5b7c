"""What a trace says of a request, by OpenTelemetry's conventions for HTTP and generative AI.

Source: https://opentelemetry.io/docs/specs/semconv/gen-ai/
"""

from http import HTTPStatus
from urllib.parse import urlsplit

from resource_server.accounting.record import RequestRecord
from resource_server.domain.operations import Operation
from resource_server.domain.ranking import Candidate
from resource_server.domain.targets import OpenAIHTTPTarget
from resource_server.services.metrics import GEN_AI_OPERATIONS
from resource_server.tracing.base import Attributes, Span


def begin_attempt(span: Span, candidate: Candidate, operation: Operation) -> Span:
    """The span of one target's try, within the request's."""
    if not span.is_recording:
        return span
    target = candidate.place.target
    word = GEN_AI_OPERATIONS[operation.value]
    attributes: dict[str, str] = {
        "gen_ai.operation.name": word,
        "gen_ai.provider.name": target.framework,
        "gen_ai.request.model": target.model,
        "gateway.backend": target.backend,
        "gateway.cluster": target.cluster,
        "gateway.model_state": candidate.state.value,
        "gateway.route_reason": candidate.reason,
    }
    if isinstance(target, OpenAIHTTPTarget):
        attributes["server.address"] = urlsplit(target.base_url).hostname or ""
    return span.child(f"{word} {target.model}", attributes, is_call=True)


def end_request(span: Span, record: RequestRecord) -> None:
    """End a request's span with what is on its record, but for who asked."""
    if not span.is_recording:
        return
    span.note(_describe(record))
    if record.error_code and (record.status >= HTTPStatus.INTERNAL_SERVER_ERROR or record.status == HTTPStatus.OK):
        span.fail(record.error_code)
    elif record.error_code:  # the client's, by the conventions no failure of the server
        span.note({"error.type": record.error_code})
    span.end()


def _describe(record: RequestRecord) -> Attributes:
    optional: dict[str, int | None] = {
        "gen_ai.usage.input_tokens": record.prompt_tokens,
        "gen_ai.usage.output_tokens": record.completion_tokens,
    }
    return {
        "http.response.status_code": record.status,
        "gen_ai.operation.name": GEN_AI_OPERATIONS[record.operation],
        "gateway.request_id": record.request_id,
        "gateway.stream": record.stream,
        "gateway.cancelled": record.cancelled,
        **{name: value for name, value in _name(record).items() if value},
        **{name: value for name, value in optional.items() if value is not None},
    }


def _name(record: RequestRecord) -> dict[str, str]:
    """What is empty where a request came to nothing."""
    return {
        "gen_ai.request.model": record.model,
        "gen_ai.response.model": record.target_model,
        "gen_ai.provider.name": record.framework,
        "gateway.cluster": record.cluster,
    }
