"""Back up what the gateway keeps, and bring it back: the database, and the spool of records that are not in it yet.

    python deploy/backup/gateway_backup.py save /var/backups/inference-gateway --keep 14
    python deploy/backup/gateway_backup.py restore /var/backups/inference-gateway/2026-01-31T02-00-00Z

It reads the gateway's own .env, and needs PostgreSQL's pg_dump and pg_restore, of the server's version or newer. A
backup is taken while the gateway runs; to restore, stop the gateway and the controller first. Run it as the gateway's
user.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from inference_gateway.environment import BASE_DIR, Environment, load_environment

DATABASE = "database.dump"
MANIFEST = "manifest.json"
SPOOL = "spool"
PARTIAL = ".partial"


class BackupFailed(Exception):
    """The sentence says what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit status."""
    options = build_parser().parse_args(arguments)
    os.umask(0o077)  # what is written are people's names and what they asked for, if not their prompts
    environment = load_environment()
    if not environment.text("PGHOST"):
        print("PGHOST is not set: without PostgreSQL, stop the gateway and copy GATEWAY_DATA_DIR.", file=sys.stderr)
        return 1
    try:
        if options.command == "save":
            print(save(environment, options.folder, options.keep))
        else:
            print(restore(environment, options.backup))
    except (BackupFailed, OSError, psycopg.Error, subprocess.CalledProcessError) as exc:
        print(f"failed: {exc}", file=sys.stderr)
        return 1
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description="Back up the gateway's database and spool, and bring them back.")
    commands = parser.add_subparsers(dest="command", required=True)
    saving = commands.add_parser("save", help="write a new backup, while the gateway runs")
    saving.add_argument("folder", type=Path, help="where backups are kept; the new one is a folder in it")
    saving.add_argument("--keep", type=int, default=0, help="remove all but so many (default: keep all)")
    restoring = commands.add_parser("restore", help="replace the database and fill the spool")
    restoring.add_argument("backup", type=Path, help="one backup's folder")
    return parser


def save(environment: Environment, folder: Path, keep: int) -> Path:
    """Write a backup, whole or not at all; returns its folder."""
    name = f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}"
    partial = folder / f"{name}{PARTIAL}"
    partial.mkdir(parents=True)
    try:
        # The spool first: a record that moves to the database meanwhile is in both, and is taken once. The other way
        # round it would be in neither.
        copy_spool(find_spool(environment), partial / SPOOL)
        run(environment, "pg_dump", "--format=custom", "--no-owner", f"--file={partial / DATABASE}")
        (partial / MANIFEST).write_text(json.dumps(describe(environment, partial), indent=2) + "\n")
        finished = partial.rename(folder / name)
    except BaseException:
        shutil.rmtree(partial)
        raise
    if keep > 0:
        for old in list_backups(folder)[:-keep]:
            shutil.rmtree(old)
    return finished


def restore(environment: Environment, backup: Path) -> str:
    """Put the backup in place of what is there; returns what to do next."""
    manifest = read_manifest(backup)
    run(environment, "pg_restore", "--list", "--file=/dev/null", str(backup / DATABASE))  # can it be read at all?
    with connect(environment) as connection:
        others = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
        if others and others[0]:
            raise BackupFailed(f"{others[0]} others use the database: stop the gateway and the controller first.")
        # pg_restore drops what is in the backup only: a table of a newer release would stay, and stop its migration.
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {} CASCADE").format(sql.Identifier(table)))
    name = environment.text("PGDATABASE")
    run(environment, "pg_restore", "--no-owner", "--single-transaction", f"--dbname={name}", str(backup / DATABASE))
    copy_spool(backup / SPOOL, find_spool(environment))
    return (
        f"restored {backup.name} (migration {manifest['migration']}). Now: python manage.py migrate; start the gateway"
    )


def copy_spool(source: Path, target: Path) -> None:
    """Copy the records that wait. What another process drains meanwhile is in the database by then."""
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.glob("*")):
        try:
            shutil.copyfile(path, target / path.name)
        except FileNotFoundError:
            continue


def find_spool(environment: Environment) -> Path:
    """Where the gateway keeps it."""
    return BASE_DIR / environment.text("GATEWAY_DATA_DIR") / SPOOL


def list_backups(folder: Path) -> list[Path]:
    """The finished ones, the oldest first."""
    return sorted(path.parent for path in folder.glob(f"*/{MANIFEST}") if not path.parent.name.endswith(PARTIAL))


def describe(environment: Environment, backup: Path) -> dict[str, Any]:
    """The manifest: what the backup is of, and a hash of each of its files."""
    with connect(environment) as connection:
        row = connection.execute("SELECT max(name) FROM django_migrations WHERE app = 'resource_server'").fetchone()
    files = {str(path.relative_to(backup)): hash_file(path) for path in list_files(backup)}
    return {"database": environment.text("PGDATABASE"), "migration": row[0] if row else None, "sha256": files}


def read_manifest(backup: Path) -> dict[str, Any]:
    """The manifest of a backup that is as it was written. Raises `BackupFailed`."""
    path = backup / MANIFEST
    if not path.exists():
        raise BackupFailed(f"{backup} is no backup: it has no {MANIFEST}.")
    manifest: dict[str, Any] = json.loads(path.read_text())
    for name, expected in manifest["sha256"].items():
        if not (backup / name).exists() or hash_file(backup / name) != expected:
            raise BackupFailed(f"{backup / name} is not what was written: take another backup.")
    return manifest


def list_files(backup: Path) -> Iterator[Path]:
    """All files but the manifest."""
    return (path for path in sorted(backup.rglob("*")) if path.is_file() and path.name != MANIFEST)


def hash_file(path: Path) -> str:
    """SHA-256, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def connect(environment: Environment) -> "psycopg.Connection[tuple[Any, ...]]":
    """To the gateway's database; what is done in the block is done at its end."""
    return psycopg.connect(
        host=environment.text("PGHOST"),
        port=int(environment.number("PGPORT")),
        user=environment.text("PGUSER"),
        password=environment.text("PGPASSWORD"),
        dbname=environment.text("PGDATABASE"),
        connect_timeout=10,
    )


def run(environment: Environment, program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs on the gateway's database."""
    found = shutil.which(program)
    if found is None:
        raise BackupFailed(f"{program} is not installed: apt-get install postgresql-client.")
    variables = {name: environment.text(name) for name in ("PGHOST", "PGUSER", "PGPASSWORD", "PGDATABASE")}
    variables["PGPORT"] = str(int(environment.number("PGPORT")))
    subprocess.run([found, *arguments], env=os.environ | variables, check=True)


if __name__ == "__main__":
    sys.exit(main())
