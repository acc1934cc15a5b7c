"""The files of the spool: one JSON line per record, written by one process, read by any once that one is done.

Who holds a segment's lock (``flock``) owns it: its writer while it lives, then whichever process drains it. The
kernel releases the lock of a process that dies, however it dies, and so hands its segment on.
"""

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

SUFFIX = ".jsonl"


class Segment:
    """A file that this process appends to.

    Attributes:
        size: bytes written, torn ones included.
    """

    def __init__(self, directory: Path) -> None:
        """Create a file of its own. Raises `OSError`."""
        self.size = 0
        self._path, self._descriptor = _create_locked(directory)
        self._is_torn = False

    def write(self, data: bytes) -> None:
        """Append whole lines, in one system call.

        Raises:
            OSError: the disk is full, or worse; readers skip what was torn.
        """
        if self._is_torn:
            data = b"\n" + data
        self._is_torn = True
        written = os.write(self._descriptor, data)
        self.size += written
        if written < len(data):
            raise OSError(f"{written} of {len(data)} bytes were written")
        self._is_torn = False

    def close(self) -> None:
        """Give the lock up: from now on the segment is there to be drained."""
        os.close(self._descriptor)


def _create_locked(directory: Path) -> tuple[Path, int]:
    # Regular files never block in the sense of O_NONBLOCK; the flag tells the detector of blocking calls so.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NONBLOCK
    while True:
        path = directory / f"{time.time_ns():020d}-{secrets.token_hex(4)}{SUFFIX}"
        descriptor = os.open(path, flags, 0o600)
        if _lock(descriptor):
            return path, descriptor
        os.close(descriptor)  # a drain was quicker, and removes it as empty


def list_segments(directory: Path) -> list[Path]:
    """All segments, the oldest first."""
    return sorted(directory.glob(f"*{SUFFIX}"))


def find_size(directory: Path) -> int:
    """Bytes in all segments."""
    size = 0
    for path in list_segments(directory):
        with suppress(FileNotFoundError):  # drained meanwhile
            size += path.stat().st_size
    return size


@contextmanager
def claim(path: Path) -> Iterator[BinaryIO | None]:
    """Own a segment for the length of the block; `None` if another process does, or it is gone."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        yield None
        return
    with file:
        yield file if _lock(file.fileno()) else None


def _lock(descriptor: int) -> bool:
    """Lock an open file; False if somebody else has it, or removed it before we got the lock."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(descriptor).st_nlink > 0
