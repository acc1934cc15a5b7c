"""Takes a database through the releases and back; prints each time what the first release's columns hold.

Run by `manage.py shell` on an empty database, in one process because Django takes longer to start than to migrate.
"""

import json
import sys
from typing import Any

from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from psycopg import sql

APP = "resource_server"
FIRST = "0001_initial"
PREVIOUS = "0003_maintenance_windows"
"""The newest migration of the release before this one: move it when a release is made."""
UUID = "7e570000-0000-4000-8000-00000000e001"


def walk() -> None:
    """First release, previous one, this one; back; and here again."""
    migrate(FIRST)
    fill()
    columns = list_columns()
    steps = [("first", FIRST), ("previous", PREVIOUS), ("this", None), ("previous, back", PREVIOUS)]
    steps += [("first, back", FIRST), ("this, again", None)]
    for name, migration in steps:
        migrate(migration)
        json.dump({"at": name, "rows": read(columns)}, sys.stdout, default=str)
        sys.stdout.write("\n")
    call_command("migrate", check_unapplied=True, verbosity=0)


def migrate(name: str | None) -> None:
    """To this migration of the app, or to the newest of all apps."""
    call_command("migrate", *((APP, name) if name else ()), verbosity=0)


def fill() -> None:
    """One row of every model of the first release, with something in every column that may hold something."""
    models = MigrationExecutor(connection).loader.project_state((APP, FIRST)).apps
    target = {"cluster": "polaris", "framework": "vllm", "model": "m/x", "endpoint_uuid": UUID, "function_uuid": UUID}
    now = timezone.now()
    rows: dict[str, dict[str, Any]] = {
        "Cluster": {"name": "polaris", "maintenance": True, "maintenance_notice": "racks", "maintenance_until": now},
        "Endpoint": {**target, "endpoint_slug": "polaris-vllm-mx", "allowed_globus_groups": [UUID]},
        "FederatedEndpoint": {"name": "X", "slug": "x", "target_model_name": "m/x", "targets": [target]},
        "User": {"username": "alice@site.example.org", "sub": UUID, "is_staff": True},
        "RequestLog": {
            "request_id": "req_1",
            "received_at": now,
            "sub": UUID,
            "method": "POST",
            "operation": "chat/completions",
            "status": 200,
            "total_tokens": 9,
            "duration_ms": 1.5,
        },
    }
    for model, fields in rows.items():
        models.get_model(APP, model).objects.create(**fields)


def list_columns() -> dict[str, list[str]]:
    """Every column of the app's tables, as they are now."""
    query = (
        "SELECT table_name, array_agg(column_name::text ORDER BY column_name) FROM information_schema.columns"
        " WHERE table_name LIKE 'resource\\_server\\_%%' GROUP BY table_name ORDER BY table_name"
    )
    with connection.cursor() as cursor:
        cursor.execute(query, [])
        return dict(cursor.fetchall())


def read(columns: dict[str, list[str]]) -> dict[str, list[Any]]:
    """All rows, by table."""
    rows: dict[str, list[Any]] = {}
    with connection.cursor() as cursor:
        for table, names in columns.items():
            query = sql.SQL("SELECT {} FROM {} ORDER BY id").format(
                sql.SQL(", ").join(map(sql.Identifier, names)), sql.Identifier(table)
            )
            cursor.execute(query.as_string())
            rows[table] = cursor.fetchall()
    return rows
