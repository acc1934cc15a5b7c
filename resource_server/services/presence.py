"""Which other processes accept connections on the same listening socket.

They are on one machine, for a socket is shared by inheritance. Each keeps a file whose lock it holds, so that what a
process says of itself ends with it, however it ends; Redis may be away.
"""

import fcntl
import os
from collections.abc import Collection
from contextlib import suppress
from enum import StrEnum
from pathlib import Path


class Phase(StrEnum):
    """What a process does with its listening socket; one character each."""

    SERVING = "s"
    """Takes every request."""
    LISTENING = "l"
    """Is about to stop, and still accepts connections: nobody else was there to do it."""
    DEAF = "d"
    """Is about to stop, and leaves new connections to others."""


class Presence:
    """This process's sign, and a look at those of the others.

    Every method works on the disk: call them in a thread.

    Args:
        folder: the same for all processes on the socket; made if it is not there.
        worker_id: unique, and new at every start.
    """

    def __init__(self, folder: Path, worker_id: str) -> None:
        self._folder = folder
        self._worker_id = worker_id
        self._descriptor: int | None = None
        self._path = Path()

    def show(self, listener: str, phase: Phase) -> None:
        """Tell the others. Raises `OSError`.

        Args:
            listener: the listening socket's name, such as its inode; the first call's is kept.
            phase: what this process does with it from now on.
        """
        if self._descriptor is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._path = self._folder / f"{listener}.{self._worker_id}"
            self._descriptor = _create_locked(self._folder / f"new.{self._worker_id}")
            os.pwrite(self._descriptor, phase.encode(), 0)
            (self._folder / f"new.{self._worker_id}").rename(self._path)  # it appears with its lock and its phase
        else:
            os.pwrite(self._descriptor, phase.encode(), 0)

    def others(self) -> Collection[Phase]:
        """The phases that others on the same socket are in. Raises `OSError`."""
        listener = self._path.name.partition(".")[0]
        paths = [path for path in self._folder.glob(f"{listener}.*") if path != self._path] if listener else []
        return {phase for phase in map(_read_living, paths) if phase is not None}

    def leave(self) -> None:
        """Take the sign away. Idempotent."""
        if self._descriptor is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None


def _create_locked(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def _read_living(path: Path) -> Phase | None:
    """What the file's owner does, or `None` if it is gone; its file is then removed."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            with suppress(ValueError):
                return Phase(file.read(1).decode(errors="replace"))
        else:
            path.unlink(missing_ok=True)
    return None
