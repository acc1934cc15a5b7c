"""One record per inference request, whatever becomes of it."""

import asyncio
import time
from collections.abc import Callable
from http import HTTPStatus
from types import TracebackType
from typing import Self

from resource_server.accounting.record import RequestRecord
from resource_server.domain.catalogue import Place
from resource_server.domain.errors import AccessDenied, ClientGone, GatewayError
from resource_server.domain.operations import Operation
from resource_server.domain.principal import Principal
from resource_server.domain.usage import Usage
from resource_server.limits.base import Reservation
from resource_server.services.metrics import count_request
from resource_server.services.request_spans import end_request
from resource_server.telemetry.series import REQUESTS_IN_PROGRESS
from resource_server.tracing.base import NO_SPAN, Span

CLIENT_LEFT = 499
"""The status on record, as nginx writes it, where the client saw none."""


class Entry:
    """The record of one request while it runs; `close` writes it, once.

    Leaving its ``with`` by an exception closes it as failed; otherwise the answer closes it, at its own end.

    Attributes:
        principal: `None` for as long as nobody knows who asks.
        place: where the request went last; `None` for nowhere.
        reservation: what the limits hold for it, settled when it closes.
        content_at: `time.perf_counter()` when a stream had its first content; `None` for never.
        span: what a trace shows of it; ends when it closes.
    """

    def __init__(
        self,
        write: Callable[[RequestRecord], None],
        request_id: str,
        operation: Operation,
        received_at: float,
        span: Span = NO_SPAN,
    ) -> None:
        self._write = write
        self._request_id = request_id
        self._operation = operation
        self._received_at = received_at
        self._wall_received_at = time.time() - (time.perf_counter() - received_at)
        self._first_byte_ms: float | None = None
        self._is_closed = False
        self.principal: Principal | None = None
        self.model = ""
        self.stream = False
        self.place: Place | None = None
        self.reservation: Reservation | None = None
        self.content_at: float | None = None
        self.span = span
        REQUESTS_IN_PROGRESS.add(by=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, AccessDenied):
            self.principal = self.principal or error.principal
        if isinstance(error, GatewayError):
            self.close(error.http_status, error_code=error.code)
        elif isinstance(error, asyncio.CancelledError | ClientGone):
            self.close(CLIENT_LEFT, cancelled=True)
        elif error is not None:
            self.close(HTTPStatus.INTERNAL_SERVER_ERROR, error_code=GatewayError.code)

    def first_byte(self) -> None:
        """The answer begins now."""
        self._first_byte_ms = self._elapsed_ms()

    def close(
        self,
        status: int,
        *,
        usage: Usage | None = None,
        estimated: bool = False,
        error_code: str = "",
        cancelled: bool = False,
    ) -> None:
        """Write the record. Idempotent: the first ending is the true one."""
        if self._is_closed:
            return
        self._is_closed = True
        target = self.place.target if self.place else None
        principal = self.principal
        usage = usage or Usage()
        if self.reservation is not None:
            self.reservation.settle(usage)
        record = RequestRecord(
            request_id=self._request_id,
            received_at=self._wall_received_at,
            sub=principal.sub if principal else "",
            username=principal.username if principal else "",
            client_id=principal.client_id if principal else "",
            method="POST",
            operation=self._operation.value,
            model=self.model[:300],
            cluster=target.cluster if target else "",
            framework=target.framework if target else "",
            target_model=target.model if target else "",
            status=int(status),
            error_code=error_code,
            stream=self.stream,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            total_tokens=usage.total_tokens,
            duration_ms=self._elapsed_ms(),
            first_byte_ms=self._first_byte_ms,
            cancelled=cancelled,
            usage_estimated=estimated,
        )
        self._write(record)
        REQUESTS_IN_PROGRESS.add(by=-1)
        count_request(record, None if self.content_at is None else self.content_at - self._received_at)
        end_request(self.span, record)

    def _elapsed_ms(self) -> float:
        return (time.perf_counter() - self._received_at) * 1000


class Ledger:
    """Opens entries."""

    def __init__(self, write: Callable[[RequestRecord], None]) -> None:
        self._write = write

    def open(self, request_id: str, operation: Operation, received_at: float, span: Span = NO_SPAN) -> Entry:
        """An entry for one request, whose caller is not known yet."""
        return Entry(self._write, request_id, operation, received_at, span)
