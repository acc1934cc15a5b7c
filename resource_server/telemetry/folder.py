"""Where the workers of a machine put their pages, for whichever of them is asked.

A worker writes only its own page, whole, and holds a lock (``flock``) as long as it lives; the kernel releases the
lock of a process that dies, however it dies. Whoever gathers adds the pages of workers that are gone to those of the
retired, once. An answer shows what has been put here and nothing newer, so no later one, from whichever worker, shows
less.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import orjson

from resource_server.telemetry.page import Page, parse_page

GUARDED_WITHIN_S = 5.0
_LOOK_S = 0.005
_LOCK, _PAGE = ".lock", ".page"
_GUARD, _RETIRED = "guard", "retired"


class Folder:
    """This process's end of the folder; used from one thread at a time. Everything here raises `OSError`.

    Args:
        directory: made where there is none; emptied where no living worker uses it: counting begins anew.
        name: this worker's, and no other's, alive or dead.
    """

    def __init__(self, directory: Path, name: str) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory = directory
        self.name = name
        self._path = directory / name
        with self.guarded():
            if not any(map(_is_held, directory.glob(f"*{_LOCK}"))):
                for path in directory.iterdir():
                    if path.name != _GUARD:
                        path.unlink()
            self._lock = os.open(self._path.with_suffix(_LOCK), os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    def publish(self, page: Page) -> None:
        """Put this worker's page there, in place of the one before."""
        write_whole(self._path.with_suffix(_PAGE), page.encode())

    def gather(self, own: Page) -> Page:
        """What all workers have put there together, those included that are gone. Needs `guarded`.

        `own` is what this one has put there, or would have if the disk had taken it.
        """
        everybody, gone, (folded, retired) = Page(), [], self._read_retired()
        everybody.add(own, is_alive=True)
        for lock in sorted(self.directory.glob(f"*{_LOCK}")):
            if _is_held(lock):
                if lock.stem != self.name:
                    everybody.add(_read_page(lock.with_suffix(_PAGE)), is_alive=True)
            else:
                gone.append(lock.stem)
                if lock.stem not in folded:
                    retired.add(_read_page(lock.with_suffix(_PAGE)), is_alive=False)
        if gone:
            with suppress(OSError):  # a full disk: they stay, and count as they are
                self._retire(gone, retired)
        everybody.add(retired, is_alive=False)
        return everybody

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Keep the other workers from gathering meanwhile. Raises `TimeoutError`, which is an `OSError`."""
        descriptor = os.open(self.directory / _GUARD, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            until = time.monotonic() + GUARDED_WITHIN_S
            while not _lock(descriptor):
                if time.monotonic() > until:
                    raise TimeoutError("another worker gathers metrics and does not end")
                time.sleep(_LOOK_S)
            yield
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """This worker is gone: what it has put there counts as of the retired."""
        os.close(self._lock)

    def _retire(self, names: list[str], retired: Page) -> None:
        # Killed after this line, the next one finds the names, and does not add their pages once more.
        write_whole(self.directory / _RETIRED, _encode_retired(names, retired))
        for path in [path for name in names for path in self.directory.glob(f"{name}.*")]:
            path.unlink()

    def _read_retired(self) -> tuple[set[str], Page]:
        """The workers that were the last to be added, and what all that are gone have counted."""
        try:
            names, _, page = (self.directory / _RETIRED).read_bytes().partition(b"\n")
            return set(orjson.loads(names)), parse_page(page)
        except (FileNotFoundError, ValueError):
            return set(), Page()


def _encode_retired(names: list[str], page: Page) -> bytes:
    return orjson.dumps(names, option=orjson.OPT_APPEND_NEWLINE) + page.encode()


def write_whole(path: Path, data: bytes) -> None:
    """Replace the file, so that whoever reads sees the old or the new."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_bytes(data)
    fresh.replace(path)


def _read_page(path: Path) -> Page:
    """The page; an empty one where the worker has not put one there yet."""
    try:
        return parse_page(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return Page()


def _is_held(lock: Path) -> bool:
    """Whether the worker lives."""
    descriptor = os.open(lock, os.O_RDWR)
    try:
        return not _lock(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
