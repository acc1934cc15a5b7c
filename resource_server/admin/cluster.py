"""Clusters and their maintenance."""

import time

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from resource_server.admin.audited import AuditedAdmin
from resource_server.models import Cluster
from resource_server.models.catalogue import build_cluster_row

_OVER: dict[str, object] = {
    "maintenance": False,
    "maintenance_from": None,
    "maintenance_until": None,
    "maintenance_notice": "",
}


@admin.register(Cluster)
class ClusterAdmin(AuditedAdmin[Cluster]):
    """Clusters; gateways follow a change within seconds."""

    list_display = ("name", "is_in_maintenance", "maintenance_from", "maintenance_until")
    search_fields = ("name",)
    actions = ("begin_maintenance", "end_maintenance")
    fieldsets = (
        (None, {"fields": ("seen", "name", "description")}),
        ("Who may use it", {"fields": ("allowed_globus_groups", "allowed_domains")}),
        (
            "Maintenance",
            {"fields": ("maintenance", "maintenance_from", "maintenance_until", "maintenance_notice")},
        ),
        ("Status function", {"fields": ("status_endpoint_uuid", "status_function_uuid")}),
    )

    @admin.display(boolean=True, description="in maintenance now")
    def is_in_maintenance(self, cluster: Cluster) -> bool:
        """By the clock, as requests see it."""
        return build_cluster_row(cluster).is_in_maintenance(time.time())

    @admin.action(description="Put into maintenance now", permissions=["change"])
    def begin_maintenance(self, request: HttpRequest, rows: QuerySet[Cluster]) -> None:
        """Until somebody ends it."""
        self._change_all(request, rows, {**_OVER, "maintenance": True})

    @admin.action(description="End maintenance, and call off what is planned", permissions=["change"])
    def end_maintenance(self, request: HttpRequest, rows: QuerySet[Cluster]) -> None:
        """Back to service."""
        self._change_all(request, rows, _OVER)

    def _change_all(self, request: HttpRequest, rows: QuerySet[Cluster], values: dict[str, object]) -> None:
        with transaction.atomic():
            for row in rows.select_for_update():
                self.change_row(request, row, **values)
