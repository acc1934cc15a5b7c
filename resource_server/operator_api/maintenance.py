"""Maintenance of clusters as things of their own: planned, changed, and ended by deleting them."""

from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.http import Http404
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from resource_server.domain.errors import InvalidValue
from resource_server.models import Cluster
from resource_server.models.catalogue import build_cluster_row
from resource_server.models.versions import version_of
from resource_server.operator_api.base import OperatorView, actor_of
from resource_server.operator_api.permissions import RowPermissions
from resource_server.operator_api.versions import build_etag, lock_seen
from resource_server.services.audit import Action, content_of, record_change
from resource_server.services.windows import (
    WindowInvalid,
    end_window,
    find_or_build_cluster,
    has_window,
    plan_window,
)


class WindowSerializer(serializers.Serializer[Any]):
    """A window as it is asked for. Without `from` it begins now, without `until` it lasts until it is deleted."""

    until = serializers.DateTimeField(required=False, allow_null=True, default_timezone=UTC)
    notice = serializers.CharField(required=False, allow_blank=True, max_length=2000)

    def get_fields(self) -> dict[str, Any]:
        """`from` is a word of Python's."""
        begins_at = serializers.DateTimeField(required=False, allow_null=True, default_timezone=UTC)
        return {"from": begins_at, **super().get_fields()}


class MaintenanceViewSet(OperatorView, ViewSet):
    """One window per cluster, known by the cluster's name."""

    purpose = "Maintenance: which clusters are out of service, now or at a set time. It begins and ends by itself."
    permission_classes = (RowPermissions,)
    queryset = Cluster.objects.all()
    lookup_field = "cluster"
    lookup_value_regex = r"[A-Za-z0-9._-]{1,100}"

    def example(self) -> dict[str, Any]:
        """A window that begins now."""
        return {"cluster": "", "from": None, "until": None, "notice": ""}

    def list(self, request: Request) -> Response:  # noqa: ARG002 - the base's signature
        """What is in effect or planned."""
        now = datetime.now(UTC)
        return Response({"results": [_represent(row) for row in self.queryset.all() if has_window(row, now)]})

    def retrieve(self, request: Request, cluster: str) -> Response:  # noqa: ARG002
        """The window of one cluster."""
        return _answer(_find(cluster))

    def create(self, request: Request) -> Response:
        """A window for a cluster that has none; the cluster may be one that only targets name."""
        body = dict(request.data)
        name = body.pop("cluster", None)
        if not isinstance(name, str) or not name:
            raise InvalidValue("cluster: is missing, name the cluster", param="cluster")
        asked = _read(body)
        with transaction.atomic():
            row = _find_free(name)
            action, before = (Action.UPDATE, content_of(row)) if row.pk else (Action.CREATE, None)
            _plan(row, asked)
            record_change(actor_of(request), action, row, before)
        return _answer(row, status.HTTP_201_CREATED)

    def update(self, request: Request, cluster: str) -> Response:
        """Another window in the place of this one."""
        asked = _read(dict(request.data))
        with transaction.atomic():
            row = lock_seen(request, Cluster, _find(cluster).pk, _represent)
            before = content_of(row)
            _plan(row, {"notice": row.maintenance_notice, **asked})
            record_change(actor_of(request), Action.UPDATE, row, before)
        return _answer(row)

    def destroy(self, request: Request, cluster: str) -> Response:
        """The cluster is back in service."""
        with transaction.atomic():
            row = lock_seen(request, Cluster, _find(cluster).pk, _represent)
            before = content_of(row)
            end_window(row)
            record_change(actor_of(request), Action.UPDATE, row, before)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _find(name: str) -> Cluster:
    """The cluster, if it has a window. Raises `Http404`."""
    row = Cluster.objects.filter(name=name).first()
    if row is None or not has_window(row, datetime.now(UTC)):
        raise Http404
    return row


def _find_free(name: str) -> Cluster:
    """The cluster's row, locked where it exists. Raises `InvalidValue`."""
    try:
        found = find_or_build_cluster(name[:100])
    except LookupError as exc:
        raise InvalidValue(f"cluster: {exc}", param="cluster") from exc
    row = Cluster.objects.select_for_update().get(pk=found.pk) if found.pk else found
    if has_window(row, datetime.now(UTC)):
        raise InvalidValue(f"cluster: {name} has a window already, change or delete that one", param="cluster")
    return row


def _read(body: dict[str, Any]) -> dict[str, Any]:
    """The window that is asked for. Raises `InvalidValue`, REST framework's `ValidationError`."""
    serializer = WindowSerializer(data=body)
    for name in body:
        if name not in serializer.fields:
            raise InvalidValue(f"{name[:100]}: is no field here, use {', '.join(serializer.fields)}", param=name[:100])
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _plan(row: Cluster, asked: dict[str, Any]) -> None:
    begins_at, ends_at, notice = asked.get("from"), asked.get("until"), asked.get("notice")
    try:
        plan_window(row, begins_at=begins_at, ends_at=ends_at, notice=notice, now=datetime.now(UTC))
    except WindowInvalid as exc:
        raise InvalidValue(f"{exc.field}: {exc}", param=exc.field) from exc


def _represent(row: Cluster) -> dict[str, object]:
    return {
        "cluster": row.name,
        "in_effect": build_cluster_row(row).is_in_maintenance(datetime.now(UTC).timestamp()),
        "from": row.maintenance_from,
        "until": row.maintenance_until,
        "notice": row.maintenance_notice,
        "version": version_of(row),
    }


def _answer(row: Cluster, code: int = status.HTTP_200_OK) -> Response:
    return Response(_represent(row), code, headers={"etag": build_etag(row)})
