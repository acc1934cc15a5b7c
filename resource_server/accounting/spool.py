"""Where records wait for the database: on the local disk before the response ends.

What `append` has written outlives the process, however it dies; the power of the machine it may not outlive.
"""

import logging
from collections import deque
from pathlib import Path

from resource_server.accounting.record import RequestRecord, encode_record
from resource_server.accounting.segments import Segment, find_size

logger = logging.getLogger(__name__)

MAX_BACKLOG = 20_000
"""Records kept in memory while the disk takes none: about 10 MB."""


class Spool:
    """This process's end of the spool; used from one thread.

    Attributes:
        lost: records for which there was neither disk nor memory.
    """

    def __init__(self, directory: Path, *, max_backlog: int = MAX_BACKLOG) -> None:
        """Begin a segment in `directory`. Raises `OSError`."""
        self.lost = 0
        self._directory = directory
        self._max_backlog = max_backlog
        self._backlog: deque[bytes] = deque()
        self._segment: Segment | None = Segment(directory)

    def append(self, record: RequestRecord) -> None:
        """Write the record down, in microseconds. Never raises: a full disk is no reason to fail a request."""
        line = encode_record(record)
        if not self._backlog and self._write(line):
            return
        if len(self._backlog) >= self._max_backlog:
            self.lost += 1
            return
        self._backlog.append(line)

    def is_degraded(self) -> bool:
        """Whether records wait in memory, where a kill would lose them."""
        return bool(self._backlog)

    def find_size(self) -> int:
        """Bytes that wait on the disk, those of other processes included. Blocks; any thread may ask."""
        return find_size(self._directory)

    def rotate(self) -> None:
        """Retry what the disk did not take, and hand what was written to the drain."""
        if self._backlog and self._write(b"".join(self._backlog)):
            logger.info("accounting spool takes records again: %d from memory, %d lost", len(self._backlog), self.lost)
            self._backlog.clear()
        if self._segment is None or self._segment.size == 0:
            return
        try:
            fresh = Segment(self._directory)
        except OSError as exc:
            logger.warning("accounting spool cannot begin a segment: %s", exc)
            return
        self._segment.close()
        self._segment = fresh

    def close(self) -> None:
        """Hand on what was written; later records are counted as lost. Idempotent."""
        if self._segment is not None:
            self._segment.close()
            self._segment = None
            self._max_backlog = 0
            self.lost += len(self._backlog)
            self._backlog.clear()

    def _write(self, data: bytes) -> bool:
        if self._segment is None:
            return False
        try:
            self._segment.write(data)
        except OSError as exc:
            if not self._backlog:
                logger.error("accounting spool takes no records, keeping them in memory: %s", exc)  # noqa: TRY400
            return False
        return True
