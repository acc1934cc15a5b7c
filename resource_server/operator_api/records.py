"""The request log and the audit: to be read, newest first, never counted, never changed."""

from typing import Any

from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from resource_server.models import AuditEvent, RequestLog
from resource_server.operator_api.base import OperatorView
from resource_server.operator_api.filters import AuditFilters, RequestLogFilters
from resource_server.operator_api.pagination import AuditPages, RequestLogPages
from resource_server.operator_api.permissions import RowPermissions
from resource_server.operator_api.serializers import AuditEventSerializer, RequestLogSerializer
from resource_server.services.database import bounded_queries

QUERY_LIMIT_S = 5.0
"""What a question to the log may cost the database; a narrower one costs less."""


class RecordViewSet(OperatorView, viewsets.ReadOnlyModelViewSet[Any]):
    """Records of one table."""

    permission_classes = (RowPermissions,)
    filter_backends = (DjangoFilterBackend,)
    filterset_class: Any = None

    @property
    def parameters(self) -> frozenset[str]:  # type: ignore[override]
        """Those of lists; a single record has none."""
        return frozenset() if self.detail else frozenset({"cursor", "page_size", *self.filterset_class.base_filters})

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """A page of records, in bounded time."""
        with bounded_queries(QUERY_LIMIT_S):
            return super().list(request, *args, **kwargs)


class RequestLogViewSet(RecordViewSet):
    """See `RecordViewSet`."""

    purpose = "Requests: who asked for what, how it ended, what it cost. No prompt, no answer, no token."
    queryset = RequestLog.objects.all()
    serializer_class = RequestLogSerializer
    pagination_class = RequestLogPages
    filterset_class = RequestLogFilters
    lookup_field = "request_id"
    lookup_value_regex = r"[A-Za-z0-9_.-]{1,64}"


class AuditViewSet(RecordViewSet):
    """See `RecordViewSet`."""

    purpose = "Changes: who changed what, from and to what, and by which door."
    queryset = AuditEvent.objects.all()
    serializer_class = AuditEventSerializer
    pagination_class = AuditPages
    filterset_class = AuditFilters
    lookup_value_regex = r"\d{1,18}"
