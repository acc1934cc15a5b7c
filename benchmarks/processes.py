"""Processes that are measured: pinned when they start, ended by their own pid, weighed with all their children."""

import ctypes
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self

import psutil

ROOT = Path(__file__).resolve().parent.parent
END_WAIT_S = 10.0
RUN_WAIT_S = 120.0
OPEN_FILES = 8192

_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


class BenchmarkError(Exception):
    """Something could not be started or measured; the message says what and why."""


class Cores:
    """Which core the target gets, and which all others share. One core, or no way to pin: both anything."""

    def __init__(self) -> None:
        available = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        self.is_pinned = len(available) > 1
        self.target = {available[0]} if self.is_pinned else set()
        self.others = {available[1]} if self.is_pinned else set()

    @contextmanager
    def inherited(self, cores: set[int]) -> Iterator[None]:
        """Within the block this process, hence what it starts, runs on `cores` only."""
        if not self.is_pinned:
            yield
            return
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, cores)
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)


class Program:
    """A running program with everything that it has started."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self._process = process
        self._log = log

    @property
    def cpu_s(self) -> float:
        """User and system time so far, of the whole tree."""
        times = [process.cpu_times() for process in self._tree()]
        return float(sum(each.user + each.system for each in times))

    @property
    def rss_mb(self) -> float:
        """Resident memory of the whole tree."""
        return sum(int(process.memory_info().rss) for process in self._tree()) / 1e6

    def wait_until(self, is_ready: Callable[[], bool], wait_s: float = 40.0) -> None:
        """Return when `is_ready` does. Raises `BenchmarkError` if the program ends first, or the time does."""
        give_up_at = time.monotonic() + wait_s
        while not is_ready():
            if self._process.poll() is not None or time.monotonic() > give_up_at:
                raise BenchmarkError(f"{self.name} is not ready:\n{self._log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """End it as an accident would: at once."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def terminate(self) -> None:
        """Tell it to end, as an operator does, and do not wait."""
        self._process.terminate()

    def wait_ended(self, wait_s: float) -> None:
        """Return when it has ended by itself. Raises `BenchmarkError` after `wait_s` seconds."""
        try:
            self._process.wait(wait_s)
        except subprocess.TimeoutExpired as exc:
            raise BenchmarkError(f"{self.name} does not end") from exc

    def stop(self) -> None:
        """End it, and then what is left of its group."""
        if self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(END_WAIT_S)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _tree(self) -> list[psutil.Process]:
        root = psutil.Process(self._process.pid)
        return [root, *root.children(recursive=True)]


class Programs:
    """Starts programs into one folder of logs; ends them all, the last first."""

    def __init__(self, folder: Path, cores: Cores) -> None:
        self.folder = folder
        self.cores = cores
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def start(
        self, name: str, command: Sequence[str], environ: Mapping[str, str] | None = None, *, is_target: bool = False
    ) -> Program:
        """Start one, on the target's core or on the other."""
        log = self.folder / f"{name.replace(' ', '-')}.log"
        with log.open("wb") as output, self.cores.inherited(self.cores.target if is_target else self.cores.others):
            process = subprocess.Popen(
                command,
                env={**os.environ, **(environ or {})},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent(),  # noqa: PLW1509 - prctl alone is called in it, nothing locks
            )
        program = Program(name, process, log)
        self._stack.callback(program.stop)
        return program

    def run(self, command: Sequence[str], environ: Mapping[str, str] | None = None, *, cwd: Path = ROOT) -> str:
        """Run one to its end beside the target and return what it printed. Raises `BenchmarkError`."""
        with self.cores.inherited(self.cores.others):
            done = subprocess.run(
                command,
                env={**os.environ, **(environ or {})},
                cwd=cwd,
                capture_output=True,
                text=True,
                timeout=RUN_WAIT_S,
                check=False,
                preexec_fn=_die_with_parent(),
            )
        if done.returncode != 0:
            raise BenchmarkError(f"{' '.join(command[:5])} failed:\n{done.stderr[-3000:]}")
        return done.stdout


def _die_with_parent() -> Callable[[], None] | None:
    """What makes the kernel kill a child when the thread that starts it ends; the driver's main thread starts all."""
    if _prctl is None:
        return None
    prctl, parent = _prctl, os.getpid()

    def ask_the_kernel() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:  # it ended between fork and prctl
            os._exit(1)

    return ask_the_kernel


def allow_open_files() -> None:
    """Let this process and its children open as many files as 500 streams need on both sides."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def find_free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def is_listening(port: int) -> bool:
    """Whether somebody accepts connections on the port of 127.0.0.1."""
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0
