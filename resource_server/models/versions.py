"""Which state of a catalogue row somebody has seen: so that nobody overwrites what they have not."""

import hashlib
import json
from typing import TypeVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

Row = TypeVar("Row", bound=models.Model)

_CHARS = 16


class VersionConflict(Exception):
    """The row is not what the writer has seen.

    Args:
        current: the row as it is now; `None` where it is gone.
    """

    def __init__(self, current: models.Model | None) -> None:
        super().__init__("the row has changed since it was read")
        self.current = current


def version_of(row: models.Model) -> str:
    """A short fingerprint of what a stored row holds: the same in every process, whatever its primary key is."""
    content = {
        field.attname: field.value_from_object(row) for field in row._meta.concrete_fields if field.attname != "id"
    }
    text = json.dumps(content, sort_keys=True, cls=DjangoJSONEncoder)
    return hashlib.sha256(text.encode()).hexdigest()[:_CHARS]


def lock_version(kind: type[Row], pk: object, expected: str) -> Row:
    """The row, locked until the transaction ends, if it still is the one that was seen.

    Call it inside ``transaction.atomic()``. Raises `VersionConflict`.
    """
    rows: models.QuerySet[Row] = models.QuerySet(kind)
    row = rows.select_for_update().filter(pk=pk).first()
    if row is None or version_of(row) != expected:
        raise VersionConflict(row)
    return row
