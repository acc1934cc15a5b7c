"""The audit: who changed what."""

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from resource_server.admin.read_only import ReadOnlyAdmin, SinceFilter
from resource_server.models import AuditEvent


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin[AuditEvent]):
    """To be read, not changed."""

    list_display = ("at", "actor_name", "source", "action", "object_type", "object_key", "fields_changed")
    list_filter = (SinceFilter, "source", "action")
    exact_fields = ("actor_name", "object_key", "object_type", "request_id")
    search_help_text = "An actor, an object's key or type, or a request id, whole"
    readonly_fields = ("what",)
    fields = (
        *("at", "actor_name", "actor", "source", "action"),
        *("object_type", "object_key", "request_id", "what"),
    )

    @admin.display(description="fields")
    def fields_changed(self, event: AuditEvent) -> str:
        """Names of what changed."""
        return ", ".join(event.changes)

    @admin.display(description="changes")
    def what(self, event: AuditEvent) -> SafeString:
        """Field by field, before and after."""
        rows = format_html_join(
            "", "<tr><th>{}</th><td>{}</td><td>{}</td></tr>", ((name, *pair) for name, pair in event.changes.items())
        )
        table = "<table><tr><th>Field</th><th>Before</th><th>After</th></tr>{}</table>"
        return format_html(table, rows) if event.changes else mark_safe("none")
