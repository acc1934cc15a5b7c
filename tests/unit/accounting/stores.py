"""Where records arrive in tests that need no database."""

import threading

from resource_server.accounting import RequestRecord
from resource_server.accounting.drain import RecordRefused, StoreUnavailable


class MemoryStore:
    """Keeps records by request id, as the database's unique constraint does.

    Attributes:
        available: False while the store is "down".
        refused_ids: records that it cannot hold.
        threads: the names of those that inserted.
    """

    def __init__(self) -> None:
        self.rows: dict[str, RequestRecord] = {}
        self.available = True
        self.refused_ids: set[str] = set()
        self.threads: set[str] = set()
        self.calls = 0

    def insert(self, records: list[RequestRecord]) -> None:
        self.calls += 1
        self.threads.add(threading.current_thread().name)
        if not self.available:
            raise StoreUnavailable("down")
        if self.refused_ids & {record.request_id for record in records}:
            raise RecordRefused("value too long")
        for record in records:
            self.rows.setdefault(record.request_id, record)
