"""Every failure that a client can see, as one tree.

GatewayError
├── InvalidValue            400  the request is malformed
│   ├── UnsupportedParameter     a field that is refused or capped
│   └── UnsupportedOperation     the target does not serve this operation
├── UpstreamRejected        4xx  the framework's own refusal, passed on
├── AuthenticationFailed    401  no token, or one that Globus does not know
├── AccessDenied            403  the caller as a whole is refused
│   └── ReauthenticationRequired  … until they log in again
├── NotFound                404  no such route
│   └── ModelNotFound            no such model, or hidden from the caller
├── MethodNotAllowed        405
├── NotAcceptable           406
├── PreconditionFailed      412  the row has changed since it was read
├── RequestTooLarge         413
├── UnsupportedMediaType    415
├── PreconditionRequired    428  a change that does not say what it has seen
├── RateLimited             429
├── AuthUnavailable         503  Globus Auth or Groups cannot be asked
├── Overloaded              503  no capacity now
├── ModelLoading            503  not hot, and held for as long as may be
├── ModelOffline            503  every target is offline
├── Maintenance             503
├── CatalogueStale          503  the database has been away for too long
├── DatabaseUnavailable     503  the database is needed, and does not answer in time
├── BackendError            502  the framework failed before the first content byte
│   └── StreamInterrupted        … or after it: only ever seen inside a stream
├── DeadlineExceeded        504
└── (GatewayError itself)   500  a bug

The envelope, the codes and the headers are the wire contract; ``docs/errors.md`` is generated from this module.
"""

from collections.abc import Mapping
from typing import ClassVar

import orjson

from resource_server.domain.principal import Principal


class ClientGone(Exception):
    """The client left before its request was complete, or does not read the answer: nobody is there to be told."""


class AnswerCut(Exception):
    """An answer has begun that cannot be completed, and has no place for an error: its connection is cut."""


class GatewayError(Exception):
    """A failure with its place in the wire contract.

    Args:
        message: what happened and what to do next; shown to the client, so it holds no secret and no address.
        param: the request field at fault, where there is one.
        retry_after_s: whole seconds for ``Retry-After``, at most 60.
        headers: further response headers.
        extra: further top-level members beside ``error`` (Globus's GARE fields).
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    code: ClassVar[str] = "internal_error"
    should_retry: ClassVar[bool | None] = None

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        retry_after_s: int | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s
        self.extra = dict(extra or {})
        self._headers = dict(headers or {})

    @property
    def headers(self) -> dict[str, str]:
        """Response headers that belong to this failure."""
        headers = dict(self._headers)
        if self.retry_after_s is not None:
            headers["retry-after"] = str(min(max(self.retry_after_s, 1), 60))
        if self.should_retry is not None:
            headers["x-should-retry"] = "true" if self.should_retry else "false"
        return headers

    @property
    def http_status(self) -> int:
        """The status to answer with; only `UpstreamRejected` differs from the class's."""
        return self.status

    def envelope(self) -> dict[str, object]:
        """The JSON document of this failure: ``{"error": {message, type, param, code}}``."""
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return {"error": error, **self.extra}

    def encode(self) -> bytes:
        """The envelope as JSON bytes."""
        return orjson.dumps(self.envelope())


class InvalidValue(GatewayError):
    """Bad JSON, or a missing or mistyped field."""

    status, type, code = 400, "invalid_request_error", "invalid_value"


class UnsupportedParameter(InvalidValue):
    """A field that is refused or capped; `param` names it."""

    code = "unsupported_parameter"


class UnsupportedOperation(InvalidValue):
    """An operation that the target does not serve."""

    code = "unsupported_operation"


class UpstreamRejected(GatewayError):
    """The framework answered 4xx: its status and its words, length-capped, in our envelope."""

    status, type, code = 400, "invalid_request_error", "invalid_value"

    def __init__(self, message: str, *, status: int, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message, param=param)
        self._status = status
        self._code = code

    @property
    def http_status(self) -> int:
        return self._status

    def envelope(self) -> dict[str, object]:
        document = super().envelope()
        error = document["error"]
        if isinstance(error, dict) and self._code:
            error["code"] = self._code
        return document


class AuthenticationFailed(GatewayError):
    """No token, or one that is unknown, expired, revoked, or meant for somebody else."""

    status, type, code = 401, "authentication_error", "invalid_api_key"

    @property
    def headers(self) -> dict[str, str]:
        return {**super().headers, "www-authenticate": "Bearer"}


class AccessDenied(GatewayError):
    """The caller as a whole is refused: provider, group, policy, session or consent.

    Attributes:
        principal: who that is, for the record.
    """

    principal: Principal | None = None
    status, type, code = 403, "permission_error", "access_denied"


class ReauthenticationRequired(AccessDenied):
    """A new login would help; `extra` carries the Globus GARE fields that say which."""

    code = "reauthentication_required"


class NotFound(GatewayError):
    """No such route."""

    status, type, code = 404, "invalid_request_error", "not_found"


class ModelNotFound(NotFound):
    """No such model, or one that a rule hides from the caller; both read the same."""

    code = "model_not_found"


class MethodNotAllowed(GatewayError):
    """The route exists, the method does not; the ``Allow`` header lists those that do."""

    status, type, code = 405, "invalid_request_error", "method_not_allowed"


class NotAcceptable(GatewayError):
    """The operator API answers JSON and HTML; the ``Accept`` header asks for something else."""

    status, type, code = 406, "invalid_request_error", "not_acceptable"


class PreconditionFailed(GatewayError):
    """Operator API: the row has changed since the version in ``If-Match``; `changes` and `current` say how."""

    status, type, code = 412, "invalid_request_error", "version_conflict"


class RequestTooLarge(GatewayError):
    """The body is over the gateway's or the target's cap."""

    status, type, code = 413, "invalid_request_error", "request_too_large"


class UnsupportedMediaType(GatewayError):
    """Operator API: the body is not declared as ``application/json``."""

    status, type, code = 415, "invalid_request_error", "unsupported_media_type"


class PreconditionRequired(GatewayError):
    """Operator API: a change without ``If-Match`` and the version that it is meant for."""

    status, type, code = 428, "invalid_request_error", "version_required"


class RateLimited(GatewayError):
    """Too many requests or tokens in the window."""

    status, type, code = 429, "rate_limit_error", "rate_limit_exceeded"


class AuthUnavailable(GatewayError):
    """Globus Auth or Groups cannot be asked, and nothing fresh enough is cached."""

    status, code = 503, "auth_unavailable"


class Overloaded(GatewayError):
    """All targets are saturated, or the gateway sheds load."""

    status, code = 503, "overloaded"


class ModelLoading(GatewayError):
    """The model is cold, queued or starting, and the time for which the request may be held is spent."""

    status, code = 503, "model_loading"


class ModelOffline(GatewayError):
    """Every target of the model is offline."""

    status, code = 503, "model_offline"


class Maintenance(GatewayError):
    """The cluster is in maintenance; the message carries the notice and its end."""

    status, code = 503, "maintenance"
    should_retry = False


class CatalogueStale(GatewayError):
    """The database has been out of reach for longer than the snapshot may be trusted."""

    status, code = 503, "catalogue_stale"


class DatabaseUnavailable(GatewayError):
    """Operator API: the database cannot be reached, or the question takes it too long."""

    status, code = 503, "database_unavailable"


class BackendError(GatewayError):
    """The framework or the way to it failed before the first content byte, and failover is exhausted."""

    status, code = 502, "backend_error"


class StreamInterrupted(BackendError):
    """The framework ended or fell silent in the middle of a stream."""

    code = "stream_interrupted"


class DeadlineExceeded(GatewayError):
    """The request's deadline passed."""

    status, code = 504, "timeout"
    should_retry = False
