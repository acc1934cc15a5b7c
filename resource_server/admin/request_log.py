"""What was asked, by whom, and what it cost."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from resource_server.admin.read_only import ReadOnlyAdmin, SinceFilter
from resource_server.models import Cluster, RequestLog


class ReceivedFilter(SinceFilter):
    """By when the request came."""

    column = "received_at"


class OutcomeFilter(admin.SimpleListFilter):
    """By the hundreds of the status."""

    title = "outcome"
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002 - Django's signature
        return [("2", "Succeeded"), ("4", "Refused"), ("5", "Failed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[RequestLog]) -> QuerySet[RequestLog]:  # noqa: ARG002
        first = self.value()
        if first not in {"2", "4", "5"}:
            return queryset
        return queryset.filter(status__gte=int(first) * 100, status__lt=int(first) * 100 + 100)


class ClusterFilter(admin.SimpleListFilter):
    """By cluster: those that the catalogue describes, so that the log is not read through for its values."""

    title = "cluster"
    parameter_name = "cluster"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002 - Django's signature
        return [(name, name) for name in Cluster.objects.values_list("name", flat=True)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[RequestLog]) -> QuerySet[RequestLog]:  # noqa: ARG002
        return queryset.filter(cluster=self.value()) if self.value() else queryset


@admin.register(RequestLog)
class RequestLogAdmin(ReadOnlyAdmin[RequestLog]):
    """To be read, not changed; it holds no prompt and no answer."""

    list_display = (
        "received_at",
        "username",
        "model",
        "cluster",
        "status",
        "error_code",
        "total_tokens",
        "duration_ms",
    )
    list_filter = (ReceivedFilter, OutcomeFilter, ClusterFilter)
    exact_fields = ("request_id", "sub", "username", "model", "error_code")
    search_help_text = "A request id, an identity, a username, a model or an error code, whole"
