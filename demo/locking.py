"""One demo at a time in a folder; the lock goes with the process that holds it, however that ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.errors import DemoError


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file `path`. Raises `DemoError` if another demo holds it."""
    with path.open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise DemoError("A demo runs in this folder already: end it with Ctrl-C, or use another clone.") from exc
        yield
