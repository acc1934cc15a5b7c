"""The database's end of accounting."""

import datetime as dt
from typing import Any

from django.db import DataError, Error, IntegrityError, close_old_connections, connection, transaction
from django.db.models import CharField, PositiveBigIntegerField

from resource_server.accounting.drain import RecordRefused, StoreUnavailable
from resource_server.accounting.record import FIELDS, RequestRecord
from resource_server.models import RequestLog

_COLUMNS = {name: RequestLog._meta.get_field(name) for name in FIELDS}
_MAX_BIGINT = 2**63 - 1

# Plain SQL: the ORM took half of the drain's time to build the same statement.
_INSERT = "INSERT INTO {} ({}) VALUES ({}) ON CONFLICT DO NOTHING".format(  # noqa: S608 - names of our own columns
    RequestLog._meta.db_table, ", ".join(FIELDS), ", ".join(["%s"] * len(FIELDS))
)


def insert_records(records: list[RequestRecord]) -> None:
    """Insert the records that are not there yet, all or none of them.

    Raises:
        StoreUnavailable: the database cannot be reached or used now.
        RecordRefused: it was asked, and at least one record is none that it can hold.
    """
    close_old_connections()
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(_INSERT, [_build_row(record) for record in records])
    except (DataError, IntegrityError, ValueError, OverflowError) as exc:
        raise RecordRefused(str(exc)) from exc
    except Error as exc:
        raise StoreUnavailable(str(exc)) from exc
    finally:
        close_old_connections()


def _build_row(record: RequestRecord) -> list[Any]:
    received_at = dt.datetime.fromtimestamp(record.received_at, dt.UTC)
    adapted = connection.ops.adapt_datetimefield_value(received_at)
    return [adapted if name == "received_at" else _fit(name, getattr(record, name)) for name in FIELDS]


def _fit(name: str, value: Any) -> Any:
    """The value as its column can hold it: names and counts come from afar."""
    column = _COLUMNS[name]
    if isinstance(column, CharField) and isinstance(value, str):
        return value.replace("\0", "")[: column.max_length]
    if isinstance(column, PositiveBigIntegerField) and isinstance(value, int):
        return min(value, _MAX_BIGINT)
    return value
