"""The demo's child processes: started with their logs, ended in order, and never left behind.

Each child leads a process group of its own, so that Ctrl-C at the terminal reaches the demo alone, and the demo can
end the child with whatever it has started. Where the demo itself is killed, the kernel signals the children (Linux).
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from demo.errors import DemoError

PR_SET_PDEATHSIG = 1
LOG_TAIL_LINES = 15
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Program:
    """What to start.

    Attributes:
        name: for people, and of the log file.
        argv: the command.
        environ: the whole environment.
        cwd: the folder that it runs in.
        end_signal: ends it in good order: sent by `Children.stop`, and by the kernel if the demo is killed.
        end_wait_s: how long it may take to end before it is killed.
    """

    name: str
    argv: Sequence[str]
    environ: Mapping[str, str]
    cwd: Path
    end_signal: signal.Signals = signal.SIGTERM
    end_wait_s: float = 3.0


@dataclass(frozen=True, slots=True)
class Child:
    """A started program."""

    program: Program
    process: subprocess.Popen[bytes]
    log: Path

    def log_tail(self) -> str:
        """The last lines of its log, indented."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"    {line}" for line in lines[-LOG_TAIL_LINES:])

    def check_alive(self) -> None:
        """Raise `DemoError` if it has ended."""
        code = self.process.poll()
        if code is not None:
            raise DemoError(f"{self.program.name} ended with code {code}. Its log {self.log} says:\n{self.log_tail()}")

    def end(self) -> None:
        """End it in good order, then kill what is left of its group. Returns within `end_wait_s` and a moment."""
        self.process.send_signal(self.program.end_signal)
        try:
            self.process.wait(self.program.end_wait_s)
        except subprocess.TimeoutExpired:
            pass
        finally:
            _kill_group(self.process.pid)
            self.process.wait(1.0)


class Children:
    """All children of one demo, in the order of their start.

    Args:
        logs: an existing folder for their logs.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._children: list[Child] = []

    def start(self, program: Program) -> Child:
        """Start a program; its output goes to ``<name>.log``."""
        path = self._logs / f"{program.name.replace(' ', '-')}.log"
        with path.open("wb") as log:
            process = subprocess.Popen(  # commands of our own, no shell
                program.argv,
                env=program.environ,
                cwd=program.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent(program.end_signal),  # noqa: PLW1509  # the demo has one thread
            )
        child = Child(program, process, path)
        self._children.append(child)
        return child

    def wait_until(self, child: Child, is_ready: Callable[[], bool], wait_s: float) -> None:
        """Wait for a child to become ready. Raises `DemoError` if it ends before, or takes too long."""
        give_up_at = time.monotonic() + wait_s
        while not is_ready():
            self.check_alive()
            if time.monotonic() > give_up_at:
                raise DemoError(
                    f"{child.program.name} is not ready after {wait_s:.0f} s. Its log {child.log} says:\n"
                    f"{child.log_tail()}"
                )
            time.sleep(POLL_S)

    def run(self, program: Program, wait_s: float) -> None:
        """Run a program to its end. Raises `DemoError` if it fails, or takes longer than `wait_s`."""
        child = self.start(program)
        try:
            code = child.process.wait(wait_s)
        except subprocess.TimeoutExpired as exc:
            raise DemoError(f"{program.name} takes longer than {wait_s:.0f} s. See {child.log}") from exc
        self._children.remove(child)
        if code:
            child.check_alive()

    def check_alive(self) -> None:
        """Raise `DemoError` if any child has ended."""
        for child in self._children:
            child.check_alive()

    def stop(self) -> None:
        """End all children, the last started first. Idempotent."""
        while self._children:
            self._children.pop().end()


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return  # all of it has ended


def _end_with_parent(end_signal: signal.Signals) -> Callable[[], None] | None:
    """What a child runs before its program: asks the kernel for a signal when the demo dies."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)  # loaded before the fork: loading takes locks
    parent = os.getpid()

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(end_signal))
        if os.getppid() != parent:  # died between the fork and the call
            os._exit(1)

    return ask
