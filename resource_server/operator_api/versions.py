"""Optimistic locking over HTTP: the version of a row is its ``ETag``, and a change names the one it is meant for."""

import re
from typing import Any, TypeVar

from django.db import models
from django.http import Http404
from rest_framework.request import Request

from resource_server.domain.errors import PreconditionFailed, PreconditionRequired
from resource_server.models.versions import VersionConflict, lock_version, version_of
from resource_server.services.history import list_changes_since

Row = TypeVar("Row", bound=models.Model)
_ETAG = re.compile(r'"([\x21\x23-\x7e]{1,64})"')


def build_etag(row: models.Model) -> str:
    """The header's value."""
    return f'"{version_of(row)}"'


def lock_seen(request: Request, kind: type[Row], pk: Any, represent: Any) -> Row:
    """The row, locked until the transaction ends, if it still is what ``If-Match`` names.

    Args:
        request: whose header is read.
        kind: the row's model.
        pk: the row's primary key.
        represent: from a row to the JSON object that this API shows of it.

    Raises:
        PreconditionRequired: the header is missing, or names no version (``*`` has seen nothing).
        PreconditionFailed: the row is another one by now.
        Http404: the row is gone.
    """
    match = _ETAG.fullmatch(request.META.get("HTTP_IF_MATCH", "").strip())
    if match is None:
        raise PreconditionRequired(
            "Say which version you have seen: read the row, and send its ETag, quotes included, in the header If-Match."
        )
    try:
        return lock_version(kind, pk, match[1])
    except VersionConflict as exc:
        if exc.current is None:
            raise Http404 from exc
        raise _build_conflict(exc.current, match[1], represent) from exc


def _build_conflict(row: models.Model, seen: str, represent: Any) -> PreconditionFailed:
    events = list_changes_since(row, seen)
    changed = sorted({name for event in events or [] for name in event.changes})
    what = (
        f"since you read it: {', '.join(changed)}" if changed else "since the version in If-Match, if it ever was that"
    )
    return PreconditionFailed(
        f"The row has changed {what}. Look at what it is now, and send its new version.",
        headers={"etag": build_etag(row)},
        extra={
            "current": represent(row),
            "changes": [
                {"at": event.at.isoformat(), "actor_name": event.actor_name, "changes": event.changes}
                for event in events or []
            ],
        },
    )
