"""A drill: what is backed up under way is wiped out, brought back, and all of it is there once."""

import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from tests.framework import CHAT, running_framework
from tests.gateway import ROOT, GatewayServer, build_environment, federated, http_target
from tests.globus_cloud import GlobusCloud
from tests.personas import ALICE
from tests.servers.postgres import PostgresAddress, find_binaries
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(180)  # a gateway, six programs and a second start of the gateway
PROGRAM = ROOT / "deploy" / "backup" / "gateway_backup.py"
RTO_S = 15 * 60
"""From the decision to restore to the first answer."""


@dataclass
class Operated:
    """A gateway on PostgreSQL, and its operator."""

    gateway: GatewayServer
    conninfo: str
    folder: Path
    token: str

    def backup(self, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        """Run the backup's program."""
        command = [sys.executable, str(PROGRAM), *map(str, arguments)]
        return subprocess.run(command, env=self.gateway.environment, capture_output=True, text=True, check=False)

    def save(self) -> Path:
        """Take a backup, in a place of its own; returns it."""
        saved = self.backup("save", self.folder / f"backups-{uuid.uuid4().hex}")
        assert saved.returncode == 0, saved.stderr
        return Path(saved.stdout.strip())

    def ask(self) -> str:
        """One answered request; returns its id."""
        body = {"model": CHAT, "messages": [{"role": "user", "content": "hello"}]}
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = requests.post(f"{self.gateway.base_url}/v1/chat/completions", json=body, headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.headers["x-request-id"]

    def query(self, statement: str) -> list[Any]:
        """The first column."""
        with psycopg.connect(self.conninfo) as connection:
            return [row[0] for row in connection.execute(statement).fetchall()]

    def recorded(self) -> list[str]:
        """Ids of requests in the database."""
        return self.query("SELECT request_id FROM resource_server_requestlog")


@pytest.fixture(scope="module")
def operated(
    tmp_path_factory: pytest.TempPathFactory, globus_session: GlobusCloud, postgres: PostgresAddress
) -> Iterator[Operated]:
    folder, name = tmp_path_factory.mktemp("operated"), f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    environment = build_environment(globus_session, folder / "data", **postgres.environment(name))
    environment["PATH"] = f"{find_binaries(folder, None)}{os.pathsep}{environment['PATH']}"
    gateway = GatewayServer(folder, environment)
    gateway.manage("migrate", "-v0")
    with running_framework() as framework:
        gateway.load([federated(1, CHAT, http_target(CHAT, framework.url))])
        with gateway:
            yield Operated(gateway, postgres.conninfo(name), folder, globus_session.issue_token(ALICE))
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def test_what_was_backed_up_under_way_is_back_after_a_loss_each_record_once(operated: Operated) -> None:
    asked = [operated.ask() for _ in range(3)]
    await wait_until(lambda: len(operated.recorded()) >= 3, timeout_s=30)
    with psycopg.connect(operated.conninfo) as connection:
        # What is asked now stays in the spool, for the table takes no rows.
        connection.execute("LOCK TABLE resource_server_requestlog IN EXCLUSIVE MODE")
        asked.append(operated.ask())
        saved = operated.save()
    operated.gateway.kill()
    for table in operated.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
        with psycopg.connect(operated.conninfo) as connection:
            connection.execute(f'DROP TABLE IF EXISTS "{table}" CASCADE'.encode())
    shutil.rmtree(operated.folder / "data")

    began_at = time.monotonic()
    restored = operated.backup("restore", saved)
    assert restored.returncode == 0, restored.stderr
    operated.gateway.manage("migrate", "-v0")
    operated.gateway.start()
    asked.append(operated.ask())
    assert time.monotonic() - began_at < RTO_S
    await wait_until(lambda: len(operated.recorded()) >= len(asked), timeout_s=30)
    assert sorted(operated.recorded()) == sorted(asked)


def test_restore_is_refused_while_the_gateway_runs_and_changes_nothing(operated: Operated) -> None:
    saved = operated.save()
    refused = operated.backup("restore", saved)
    assert refused.returncode == 1
    assert "stop the gateway" in refused.stderr
    assert operated.query("SELECT count(*) FROM resource_server_federatedendpoint") == [1]


def test_damaged_backup_is_refused_and_changes_nothing(operated: Operated) -> None:
    saved = operated.save()
    with (saved / "database.dump").open("ab") as dump:
        dump.write(b"x")
    refused = operated.backup("restore", saved)
    assert refused.returncode == 1
    assert "is not what was written" in refused.stderr
    assert operated.query("SELECT count(*) FROM resource_server_federatedendpoint") == [1]


def test_backup_is_its_owners_and_old_ones_go(operated: Operated) -> None:
    folder = operated.folder / "kept"
    old = folder / "2020-01-01T00-00-00Z"
    old.mkdir(parents=True)
    (old / "manifest.json").write_text("{}")
    kept = Path(operated.backup("save", folder, "--keep", "1").stdout.strip())
    assert list(folder.iterdir()) == [kept]
    assert [path.stat().st_mode & 0o077 for path in [kept, *kept.rglob("*")]] == [0] * (1 + len(list(kept.rglob("*"))))


def test_without_postgresql_it_says_what_to_copy(tmp_path: Path) -> None:
    environment = {**os.environ, "PGHOST": ""}
    command = [sys.executable, str(PROGRAM), "save", str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "copy GATEWAY_DATA_DIR" in done.stderr
