"""Writes down who changed what, in the transaction of the change. For sync code: the change and its record are one.

before = content_of(row)
row.save()
record_change(actor, Action.UPDATE, row, before)
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from resource_server.models import AuditEvent, User

Action = AuditEvent.Action
Source = AuditEvent.Source
Content = dict[str, Any]

HIDDEN = "(hidden)"
_SECRET = re.compile(r"(^|_)(password|passwd|secret|token|api_?key|private_?key|credentials?)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and by which door.

    Attributes:
        source: the door.
        user: the row of a person; `None` for a command.
        name: what is shown; the user's name where it is empty.
        request_id: of the HTTP request, where there is one.
    """

    source: AuditEvent.Source
    user: User | None = None
    name: str = ""
    request_id: str = ""


def content_of(row: models.Model) -> Content:
    """The row's fields as JSON values, to be compared later; for the memory of one request only, secrets included."""
    fields = {field.name: field.value_from_object(row) for field in row._meta.concrete_fields if field.name != "id"}
    document: Content = json.loads(json.dumps(fields, cls=DjangoJSONEncoder))
    return document


def key_of(row: models.Model) -> str:
    """By what people know the row: its slug or name, which outlives its primary key."""
    return str(getattr(row, "endpoint_slug", "") or getattr(row, "slug", "") or row)


def differences(old: Content, new: Content) -> dict[str, list[Any]]:
    """Field name → [old, new] where they differ, with secrets hidden: that one changed is worth knowing, it is not."""
    changed = [name for name in dict.fromkeys((*old, *new)) if old.get(name) != new.get(name)]
    return {name: [_without_secrets(name, old.get(name)), _without_secrets(name, new.get(name))] for name in changed}


def record_change(
    actor: Actor, action: AuditEvent.Action, row: models.Model, before: Content | None = None
) -> AuditEvent | None:
    """Write down one change; `None` for an update that changed nothing.

    Args:
        actor: who did it.
        action: `CREATE`, `UPDATE` or `DELETE`.
        row: the row as it is now, or was when it was deleted.
        before: its `content_of` before an update.
    """
    now = content_of(row)
    old, new = {
        Action.CREATE: ({}, now),
        Action.DELETE: (now, {}),
    }.get(action, (before or {}, now))
    changes = differences(old, new)
    if action == Action.UPDATE and not changes:
        return None
    return _write(actor, action, row._meta.model_name or "", key_of(row), changes)


def record_event(actor: Actor, action: AuditEvent.Action, object_type: str, object_key: str = "") -> AuditEvent:
    """Write down something that changed no row, such as a sign-in."""
    return _write(actor, action, object_type, object_key, {})


def _write(
    actor: Actor, action: AuditEvent.Action, object_type: str, object_key: str, changes: Mapping[str, list[Any]]
) -> AuditEvent:
    return AuditEvent.objects.create(
        actor=actor.user,
        actor_name=actor.name or (actor.user.get_username() if actor.user else actor.source.label),
        source=actor.source,
        action=action,
        object_type=object_type,
        object_key=object_key[:300],
        changes=changes,
        request_id=actor.request_id,
    )


def _without_secrets(name: str, value: Any) -> Any:
    if _SECRET.search(name):
        return HIDDEN if value else value
    if isinstance(value, dict):
        return {key: _without_secrets(key, item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_secrets("", item) for item in value]
    return value
