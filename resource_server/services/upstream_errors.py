"""What a framework's refusal means to the client."""

import random
from http import HTTPStatus

import orjson

from resource_server.domain.errors import BackendError, GatewayError, Overloaded, UpstreamRejected

MESSAGE_CAP = 2000
_BUSY_MESSAGE = "The model is busy at the moment. Try again in a few seconds."
FAILED_MESSAGE = "The model's server failed to answer. Try again; if it lasts, tell the operators."

# The client can do nothing about these: our key, our path, our model name, our slowness, another's load.
_ELSEWHERE = frozenset({401, 403, 404, 405, 407, 408, 429})


def is_worth_another_target(status: int) -> bool:
    """Whether the same request may fare better elsewhere: everything but a refusal of the request itself."""
    return not HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR or status in _ELSEWHERE


def build_busy() -> Overloaded:
    """Every place is taken."""
    return Overloaded(_BUSY_MESSAGE, retry_after_s=random.randint(1, 10))  # noqa: S311 - jitter


def build_rejection(status: int, body: bytes) -> GatewayError:
    """The error to show for a framework's `status` and `body`; its own words only where the request was at fault."""
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        return build_busy()
    if is_worth_another_target(status):
        return BackendError(FAILED_MESSAGE)
    message, param, code = _parse_refusal(body)
    return UpstreamRejected(message, status=status, param=param, code=code)


def _parse_refusal(body: bytes) -> tuple[str, str | None, str | None]:
    """Message, param and code of ``{"error": {...}}``, of vLLM's flat form, or of FastAPI's ``{"detail": ...}``."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    fields = document if isinstance(document, dict) else {}
    error = fields.get("error", fields)
    error = error if isinstance(error, dict) else {"message": error}
    message = error.get("message") or error.get("detail")
    if not isinstance(message, str):
        message = orjson.dumps(message).decode() if message else "The model's server refused the request."
    param, code = error.get("param"), error.get("code")
    return message[:MESSAGE_CAP], _short(param), _short(code)


def _short(value: object) -> str | None:
    return value[:100] if isinstance(value, str) else None
