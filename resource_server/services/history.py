"""What has happened to a row, told backwards from the audit."""

from django.db import models

from resource_server.models import AuditEvent
from resource_server.models.versions import version_of
from resource_server.services.audit import content_of, key_of

_LONGEST = 50


def list_changes_since(row: models.Model, version: str) -> list[AuditEvent] | None:
    """The updates of `row` since it had `version`, oldest first.

    They are undone one by one, newest first, until what is left has that version. `None` where it never comes to that:
    the version is none, is too old, or something changed the row past the audit (SQL, fixtures).
    """
    past, events, last_id = row, list[AuditEvent](), None
    content = content_of(row)
    while version_of(past) != version:
        older = AuditEvent.objects.filter(
            object_type=row._meta.model_name, object_key=key_of(past)[:300], action=AuditEvent.Action.UPDATE
        )
        event = (older if last_id is None else older.filter(id__lt=last_id)).order_by("-id").first()
        if event is None or len(events) == _LONGEST:
            return None
        events.append(event)
        last_id = event.pk
        content |= {name: before for name, (before, _) in event.changes.items() if name in content}
        past = type(row)(**content)
    return events[::-1]
