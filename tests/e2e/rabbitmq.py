"""Runs a RabbitMQ server of our own: loopback, free ports, its own data folder."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SEARCH_PATH = "/usr/lib/rabbitmq/bin:/usr/local/bin:/usr/bin:/bin"  # before /usr/sbin, whose wrapper changes the user
START_S = 60.0
STOP_S = 30.0


@dataclass(frozen=True, kw_only=True)
class RabbitMq:
    """A running RabbitMQ server."""

    url: str
    folder: Path
    env: dict[str, str]

    def stop_app(self) -> None:
        """Stop the broker: connections end, durable queues stay."""
        self._control("stop_app")

    def start_app(self) -> None:
        """Start the broker again."""
        self._control("start_app")

    def _control(self, command: str) -> None:
        program = _find("rabbitmqctl")
        subprocess.run(
            [program, "-n", self.env["RABBITMQ_NODENAME"], command], env=self.env, check=True, timeout=START_S
        )


@contextlib.contextmanager
def running_rabbitmq() -> Iterator[RabbitMq]:
    """Start a server and wait until it takes connections; stop it, and its Erlang helpers, at the end.

    Raises:
        RuntimeError: it did not start; the message holds its logs.
    """
    folder = Path(tempfile.mkdtemp(prefix="rabbitmq-"))
    port = find_free_port()
    env = build_env(folder, port)
    (folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\nloopback_users = none\n")
    (folder / "enabled_plugins").write_text("[].\n")
    epmd = start(folder, env, "epmd", "-address", "127.0.0.1", "-port", env["ERL_EPMD_PORT"])
    server = start(folder, env, "rabbitmq-server")
    try:
        wait_listening(port, server, folder)
        yield RabbitMq(url=f"amqp://guest:guest@127.0.0.1:{port}/", folder=folder, env=env)
    finally:
        stop(server)
        stop(epmd)
        shutil.rmtree(folder, ignore_errors=True)


def start(folder: Path, env: dict[str, str], program: str, *options: str) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, its output appended to the folder's log."""
    with (folder / "server.log").open("ab") as log:
        return subprocess.Popen(
            [_find(program), *options], env=env, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )


def build_env(folder: Path, port: int) -> dict[str, str]:
    """The server's environment: everything in one folder, Erlang's own ports on loopback too."""
    distribution_port = find_free_port()
    return {
        "PATH": SEARCH_PATH,
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"test{port}@localhost",
        "RABBITMQ_BASE": str(folder),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_DIST_PORT": str(distribution_port),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(find_free_port()),
    }


def find_free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_listening(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait until the server takes connections."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    log = (folder / "server.log").read_text(errors="replace")
    raise RuntimeError(f"RabbitMQ did not start (exit code {process.poll()}):\n{log}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a session that `start` began: the program and what it started."""
    for signum in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, signum)
            process.wait(STOP_S)


def _find(program: str) -> str:
    found = shutil.which(program, path=SEARCH_PATH)
    if found is None:
        raise RuntimeError(f"{program} is not installed (Debian package rabbitmq-server)")
    return found
