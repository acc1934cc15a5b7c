"""The audit: who changed what, and from what to what. Rows are added, never changed."""

from typing import Any

from django.conf import settings
from django.db import models


class AuditEventFinal(RuntimeError):
    """Somebody tried to change or remove what the audit holds."""


class AuditEventRows(models.QuerySet["AuditEvent"]):
    """Rows that can be read and added."""

    def update(self, **_values: Any) -> int:
        raise AuditEventFinal("audit events are not changed")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise AuditEventFinal("audit events are not removed")


class AuditEvent(models.Model):
    """One change, written in the transaction that makes it: `services.audit`.

    Attributes:
        actor: who did it, where it was somebody with a row; `actor_name` stays readable when that row is gone.
        changes: field name → [before, after]; secrets never get here.
        request_id: of the HTTP request, empty for commands.
    """

    class Source(models.TextChoices):
        """Through which door the change came."""

        ADMIN = "admin", "admin pages"
        OPERATOR_API = "operator_api", "operator API"
        CATALOGUE = "catalogue", "manage.py catalogue"
        COMMAND = "command", "manage.py"
        SIGN_IN = "sign_in", "sign-in"

    class Action(models.TextChoices):
        """What was done."""

        CREATE = "create"
        UPDATE = "update"
        DELETE = "delete"
        SIGN_IN = "sign_in"
        SIGN_OUT = "sign_out"
        REFUSED = "refused"

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    actor_name = models.CharField(max_length=300)
    source = models.CharField(max_length=20, choices=Source)
    action = models.CharField(max_length=20, choices=Action)
    object_type = models.CharField(max_length=50)
    object_key = models.CharField(max_length=300, blank=True, default="", db_index=True)
    changes = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, blank=True, default="")

    objects = AuditEventRows.as_manager()

    class Meta:
        ordering = ("-at", "-id")

    def __str__(self) -> str:
        return f"{self.actor_name}: {self.action} {self.object_type} {self.object_key}".rstrip()

    def save(self, *args: Any, **options: Any) -> None:
        """Add the row. Raises `AuditEventFinal` where it is there already."""
        if not self._state.adding:
            raise AuditEventFinal("audit events are not changed")
        super().save(*args, **options)

    def delete(self, *_args: Any, **_options: Any) -> tuple[int, dict[str, int]]:
        """Raises `AuditEventFinal`."""
        raise AuditEventFinal("audit events are not removed")
