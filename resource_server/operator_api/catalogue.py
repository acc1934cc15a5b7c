"""Clusters, endpoints and federated endpoints: read, created, changed and deleted, each change in the audit."""

from typing import Any

from django.db import models, transaction
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from resource_server.models import Cluster, Endpoint, FederatedEndpoint
from resource_server.operator_api.base import OperatorView, actor_of
from resource_server.operator_api.filters import (
    ClusterFilters,
    EndpointFilters,
    FederatedEndpointFilters,
    NamedOrdering,
)
from resource_server.operator_api.pagination import RowPages
from resource_server.operator_api.permissions import RowPermissions
from resource_server.operator_api.serializers import ClusterSerializer, EndpointSerializer, FederatedEndpointSerializer
from resource_server.operator_api.versions import build_etag, lock_seen
from resource_server.services.audit import Action, content_of, record_change


class RowViewSet(OperatorView, viewsets.ModelViewSet[Any]):
    """Rows of one table of the catalogue. Whoever changes or deletes one says which version they have seen."""

    permission_classes = (RowPermissions,)
    pagination_class = RowPages
    filter_backends = (DjangoFilterBackend, NamedOrdering)
    lookup_value_regex = r"\d{1,18}"
    ordering_fields: tuple[str, ...] = ()
    filterset_class: Any = None

    @property
    def parameters(self) -> frozenset[str]:  # type: ignore[override]
        """Those of lists; a single row has none."""
        if self.detail:
            return frozenset()
        return frozenset({"page", "page_size", "ordering", *self.filterset_class.base_filters})

    def example(self) -> dict[str, Any]:
        """Every field that a new row may have, with what it is without being named."""
        return dict(self.get_serializer().data)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # noqa: ARG002 - the base's signature
        """The row, with its version as ``ETag``."""
        return self._answer(self.get_object())

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # noqa: ARG002
        """A new row."""
        with transaction.atomic():
            row = self._save(None, request.data, partial=False)
            record_change(actor_of(request), Action.CREATE, row)
        return self._answer(row, status.HTTP_201_CREATED)

    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # noqa: ARG002
        """The row as a whole (PUT) or in part (PATCH)."""
        with transaction.atomic():
            seen = self._lock(request)
            before = content_of(seen)
            row = self._save(seen, request.data, partial=kwargs.get("partial", False))
            record_change(actor_of(request), Action.UPDATE, row, before)
        return self._answer(row)

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # noqa: ARG002
        """The row goes."""
        with transaction.atomic():
            seen = self._lock(request)
            record_change(actor_of(request), Action.DELETE, seen)
            seen.delete()
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _lock(self, request: Request) -> Any:
        return lock_seen(request, self.get_queryset().model, self.kwargs["pk"], self._represent)

    def _represent(self, row: models.Model) -> Any:
        return self.get_serializer(row).data

    def _save(self, row: Any, data: Any, *, partial: bool) -> Any:
        serializer = self.get_serializer(row, data=data, partial=partial)
        serializer.is_valid(raise_exception=True)
        return serializer.save()

    def _answer(self, row: models.Model, code: int = status.HTTP_200_OK) -> Response:
        return Response(self._represent(row), code, headers={"etag": build_etag(row)})


class ClusterViewSet(RowViewSet):
    """See `RowViewSet`."""

    purpose = "Clusters: who may use what is on them, their status function, their maintenance."
    queryset = Cluster.objects.all()
    serializer_class = ClusterSerializer
    filterset_class = ClusterFilters
    ordering_fields = ("name",)


class EndpointViewSet(RowViewSet):
    """See `RowViewSet`."""

    purpose = "Endpoints: one model, by one framework, on one cluster."
    queryset = Endpoint.objects.all()
    serializer_class = EndpointSerializer
    filterset_class = EndpointFilters
    ordering_fields = ("cluster", "framework", "model", "backend")


class FederatedEndpointViewSet(RowViewSet):
    """See `RowViewSet`."""

    purpose = "Federated endpoints: one public model name, and its targets in order."
    queryset = FederatedEndpoint.objects.all()
    serializer_class = FederatedEndpointSerializer
    filterset_class = FederatedEndpointFilters
    ordering_fields = ("target_model_name", "name")
