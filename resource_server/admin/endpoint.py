"""Endpoints: models on the cluster path."""

from django.contrib import admin

from resource_server.admin.audited import AuditedAdmin
from resource_server.models import Endpoint


@admin.register(Endpoint)
class EndpointAdmin(AuditedAdmin[Endpoint]):
    """Endpoints."""

    list_display = ("model", "cluster", "framework", "backend")
    list_filter = ("cluster", "framework", "backend")
    search_fields = ("model", "endpoint_slug")
