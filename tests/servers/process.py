"""Server processes of the tests: they end with the test run, also when that is killed."""

import ctypes
import fcntl
import os
import pwd
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Self

_PR_SET_PDEATHSIG = 1
_TEST_PORTS = range(16_000, 32_000)
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


class ServerFailed(Exception):
    """A server did not start, or not stop; the message carries the end of its log."""


class Process:
    """One server process with its log file.

    The kernel sends it `death_signal` when the thread that started it ends, so start it from a thread that lives as
    long as the tests need it: pytest's main thread.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        log: Path,
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        user: pwd.struct_passwd | None = None,
        death_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        """Start `command`, by default in the log's folder, its output in `log`; root may name another `user`."""
        self.log = log
        self._name = str(command[0])
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd or log.parent,
                start_new_session=True,
                preexec_fn=_die_with_parent(death_signal),  # noqa: PLW1509 - prctl alone is called in it, nothing locks
                user=user.pw_uid if user else None,
                group=user.pw_gid if user else None,
                extra_groups=[] if user else None,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def wait_until(self, is_ready: Callable[[], bool], *, timeout_s: float = 20) -> None:
        """Return when `is_ready` does. Raises `ServerFailed` when the process ends first, or the time does."""
        deadline = time.monotonic() + timeout_s
        while not is_ready():
            if not self.is_running or time.monotonic() > deadline:
                self.kill()
                raise self._failure("is not ready")
            time.sleep(0.01)

    def wait(self, *, timeout_s: float = 60) -> None:
        """Return when the process has succeeded. Raises `ServerFailed`."""
        if self._process.wait(timeout_s) != 0:
            raise self._failure("failed")

    def wait_ended(self, timeout_s: float = 60) -> None:
        """Return when the process has ended, with whatever status. Raises `ServerFailed`."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired as exc:
            raise self._failure("does not end") from exc

    def stop(self, stop_signal: signal.Signals = signal.SIGTERM, *, timeout_s: float = 10) -> None:
        """Send `stop_signal` and wait for the end; kill what does not end in time. Harmless when it has ended."""
        if self.is_running:
            self._process.send_signal(stop_signal)
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """Kill the process and its children at once, as a crash of the machine would."""
        self.signal_tree(signal.SIGKILL)
        self._process.wait()

    def signal_tree(self, sent: signal.Signals) -> None:
        """Send a signal to the process first, then to its descendants as they were before."""
        if not self.is_running:
            return
        for pid in [self.pid, *_descendants(self.pid)]:
            with suppress(ProcessLookupError):
                os.kill(pid, sent)

    def _failure(self, what: str) -> ServerFailed:
        return ServerFailed(f"{self._name} {what}:\n{self.log.read_text(errors='replace')[-4000:]}")


class Server(ABC):
    """A server process that a test can fail in every way; ``with server:`` starts and stops it."""

    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self) -> None:
        self._process: Process | None = None

    @abstractmethod
    def _spawn(self) -> Process:
        """Start the process and return it when it answers. Raises `ServerFailed`."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.resume()
        self.stop()

    def start(self) -> None:
        """Start it, for the first time or again, at the same address. Raises `ServerFailed`."""
        self._process = self._spawn()

    def stop(self) -> None:
        """Stop it as an operator would; clients are disconnected. Harmless when it has ended."""
        if self._process:
            self._process.stop(self.stop_signal)

    def kill(self) -> None:
        """End every process of the server at once."""
        if self._process:
            self._process.kill()

    def suspend(self) -> None:
        """Let it hang: connections stay, nothing is answered."""
        if self._process:
            self._process.signal_tree(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `suspend`."""
        if self._process:
            self._process.signal_tree(signal.SIGCONT)


def _die_with_parent(death_signal: signal.Signals) -> Callable[[], None] | None:
    if _prctl is None:
        return None
    prctl, parent = _prctl, os.getpid()

    def ask_the_kernel() -> None:
        prctl(_PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != parent:  # it ended between fork and prctl
            os._exit(1)

    return ask_the_kernel


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(FileNotFoundError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += [int(child), *_descendants(int(child))]
    return found


_CLAIMED: list[int] = []  # descriptors whose locks last as long as this process


def find_free_port() -> int:
    """A TCP port of 127.0.0.1 that is this test process's alone, also while its server is being restarted.

    The kernel hands out no port below its own range for outgoing connections, and other test processes see the lock.
    """
    folder = Path(tempfile.gettempdir()) / f"inference-gateway-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    while True:
        port = secrets.choice(_TEST_PORTS)
        if _claim(folder / str(port)) and not is_taken(port):
            return port


def _claim(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    _CLAIMED.append(descriptor)
    return True


def is_taken(port: int) -> bool:
    """Whether a server on 127.0.0.1 could not have the port."""
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


def is_listening(port: int) -> bool:
    """Whether somebody accepts connections on the port of 127.0.0.1."""
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0
