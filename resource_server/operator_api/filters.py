"""The query parameters of the lists."""

from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from rest_framework.filters import OrderingFilter
from rest_framework.request import Request

from resource_server.domain.errors import InvalidValue
from resource_server.models import AuditEvent, Cluster, Endpoint, FederatedEndpoint, RequestLog


class NamedOrdering(OrderingFilter):
    """``ordering=name`` or ``-name``; a field that no list can be ordered by is an error."""

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> Any:
        """The fields asked for. Raises `InvalidValue`."""
        asked = [name.strip() for name in request.query_params.get(self.ordering_param, "").split(",") if name.strip()]
        known = [name for name, _ in self.get_valid_fields(queryset, view, {"request": request})]
        check_ordering(asked, known)
        return super().get_ordering(request, queryset, view)


def check_ordering(asked: list[str], known: list[str]) -> None:
    """Raises `InvalidValue` where a name is none of `known`, with or without a leading minus."""
    for name in asked:
        if name.removeprefix("-") not in known:
            raise InvalidValue(f"ordering: {name[:100]!r} is none of {', '.join(known)}.", param="ordering")


class ClusterFilters(django_filters.FilterSet):
    """Filters of clusters."""

    class Meta:
        model = Cluster
        fields = ("name",)


class EndpointFilters(django_filters.FilterSet):
    """Filters of endpoints."""

    search = django_filters.CharFilter(method="find", label="Model or slug contains")

    class Meta:
        model = Endpoint
        fields = ("cluster", "framework", "model", "backend")

    def find(self, rows: QuerySet[Endpoint], _name: str, text: str) -> QuerySet[Endpoint]:
        """Rows whose model or slug contains `text`, in any case."""
        return rows.filter(Q(model__icontains=text) | Q(endpoint_slug__icontains=text))


class FederatedEndpointFilters(django_filters.FilterSet):
    """Filters of federated endpoints."""

    search = django_filters.CharFilter(method="find", label="Name or model contains")
    cluster = django_filters.CharFilter(method="on_cluster", label="A target on cluster")

    class Meta:
        model = FederatedEndpoint
        fields = ("target_model_name", "slug")

    def find(self, rows: QuerySet[FederatedEndpoint], _name: str, text: str) -> QuerySet[FederatedEndpoint]:
        """Rows whose name or model contains `text`, in any case."""
        return rows.filter(Q(name__icontains=text) | Q(target_model_name__icontains=text))

    def on_cluster(self, rows: QuerySet[FederatedEndpoint], _name: str, cluster: str) -> QuerySet[FederatedEndpoint]:
        """Rows with a target there. SQLite cannot look into JSON lists, and the rows are few."""
        return rows.filter(pk__in=[row.pk for row in rows if cluster in _clusters(row)])


class RequestLogFilters(django_filters.FilterSet):
    """Filters of the request log."""

    received_from = django_filters.IsoDateTimeFilter("received_at", "gte", label="Received from")
    received_before = django_filters.IsoDateTimeFilter("received_at", "lt", label="Received before")
    status_from = django_filters.NumberFilter("status", "gte", label="Status from")

    class Meta:
        model = RequestLog
        fields = (
            *("sub", "username", "client_id", "operation", "model", "cluster", "framework", "target_model"),
            *("status", "error_code", "stream", "cancelled"),
        )


class AuditFilters(django_filters.FilterSet):
    """Filters of the audit."""

    at_from = django_filters.IsoDateTimeFilter("at", "gte", label="From")
    at_before = django_filters.IsoDateTimeFilter("at", "lt", label="Before")

    class Meta:
        model = AuditEvent
        fields = ("actor_name", "source", "action", "object_type", "object_key", "request_id")


def _clusters(row: FederatedEndpoint) -> set[object]:
    return {target.get("cluster") for target in row.targets if isinstance(target, dict)}
