"""From the spool into the database, each record once."""

import logging
import threading
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from resource_server.accounting.record import RequestRecord, decode_record, encode_record
from resource_server.accounting.segments import claim, list_segments

logger = logging.getLogger(__name__)

BATCH_RECORDS = 500
REFUSED_NAME = "refused.txt"


class StoreUnavailable(Exception):
    """The database cannot take records now; they stay in the spool."""


class RecordRefused(Exception):
    """At least one of the records is none that the database can hold."""


class Drain:
    """Empties the segments that nobody writes any more, this process's and those of dead ones.

    A segment is removed once all of it is stored. A kill before that stores some records twice over, which the
    store turns into once: `insert` ignores records whose request id it has.

    Attributes:
        refused: records that went to `REFUSED_NAME` because the database cannot hold them.
        skipped: torn lines.
    """

    def __init__(self, directory: Path, insert: Callable[[list[RequestRecord]], None]) -> None:
        self.refused = 0
        self.skipped = 0
        self._directory = directory
        self._insert = insert
        self._stopping = threading.Event()

    def run_once(self) -> None:
        """Store and remove all there is. Blocks: it belongs in a thread.

        Raises:
            StoreUnavailable: what was not stored is there for the next time.
            OSError: the spool cannot be read.
        """
        for path in list_segments(self._directory):
            with claim(path) as file:
                if file is not None and self._store(file):
                    path.unlink()

    def stop(self) -> None:
        """Make `run_once`, in whichever thread, end after its current batch."""
        self._stopping.set()

    def _store(self, file: BinaryIO) -> bool:
        records = self._read(file)
        while batch := list(islice(records, BATCH_RECORDS)):
            if self._stopping.is_set():
                return False
            self._insert_all(batch)
        return True

    def _read(self, file: BinaryIO) -> Iterator[RequestRecord]:
        for line in file:
            try:
                yield decode_record(line)
            except ValueError:
                if line.strip():
                    self.skipped += 1
                    logger.warning("accounting spool: a torn line of %d bytes is skipped", len(line))

    def _insert_all(self, records: list[RequestRecord]) -> None:
        """Insert; if the database refuses the batch, find those it means by halves."""
        try:
            self._insert(records)
        except RecordRefused as exc:
            if len(records) == 1:
                self._set_aside(records[0], exc)
                return
            middle = len(records) // 2
            self._insert_all(records[:middle])
            self._insert_all(records[middle:])

    def _set_aside(self, record: RequestRecord, reason: RecordRefused) -> None:
        self.refused += 1
        logger.error("accounting record refused, kept in %s: %s: %s", REFUSED_NAME, record.request_id, reason)
        with (self._directory / REFUSED_NAME).open("ab") as file:
            file.write(encode_record(record))
