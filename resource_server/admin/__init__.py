"""The catalogue and the request log in Django's admin, for people."""

import time

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest

from resource_server.models import Cluster, Endpoint, FederatedEndpoint, RequestLog, User
from resource_server.models.catalogue import build_cluster_row

admin.site.register(User, UserAdmin)


@admin.register(Cluster)
class ClusterAdmin(admin.ModelAdmin[Cluster]):
    """Clusters."""

    list_display = ("name", "is_in_maintenance", "maintenance_from", "maintenance_until")

    @admin.display(boolean=True, description="in maintenance now")
    def is_in_maintenance(self, cluster: Cluster) -> bool:
        """By the clock, as requests see it."""
        return build_cluster_row(cluster).is_in_maintenance(time.time())


@admin.register(Endpoint)
class EndpointAdmin(admin.ModelAdmin[Endpoint]):
    """Endpoints."""

    list_display = ("model", "cluster", "framework", "backend")
    list_filter = ("cluster", "framework", "backend")
    search_fields = ("model", "endpoint_slug")


@admin.register(FederatedEndpoint)
class FederatedEndpointAdmin(admin.ModelAdmin[FederatedEndpoint]):
    """Federated endpoints."""

    list_display = ("target_model_name", "name")
    search_fields = ("target_model_name", "name")


@admin.register(RequestLog)
class RequestLogAdmin(admin.ModelAdmin[RequestLog]):
    """What was asked: to be read, not changed."""

    list_display = ("received_at", "username", "model", "cluster", "status", "total_tokens", "duration_ms")
    list_filter = ("status", "cluster")
    search_fields = ("request_id", "username", "sub", "model")

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django's signature
        return False

    def has_change_permission(self, request: HttpRequest, obj: RequestLog | None = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: RequestLog | None = None) -> bool:  # noqa: ARG002
        return False
