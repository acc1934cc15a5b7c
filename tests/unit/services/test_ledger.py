"""An entry closes once, and settles what the limits hold for it."""

import time

from resource_server.accounting.record import RequestRecord
from resource_server.domain.operations import Operation
from resource_server.domain.usage import Usage
from resource_server.services.ledger import Entry


class Reserved:
    """A reservation that remembers what it was settled with."""

    def __init__(self) -> None:
        self.settled: list[Usage] = []

    def settle(self, usage: Usage) -> None:
        self.settled.append(usage)


def test_entry_closed_twice_writes_and_settles_once() -> None:
    records: list[RequestRecord] = []
    entry = Entry(records.append, "req_1", Operation.CHAT_COMPLETIONS, time.perf_counter())
    entry.reservation = reserved = Reserved()
    entry.close(200, usage=Usage(1, 2, 3))
    entry.close(499, cancelled=True)
    assert [(record.status, record.total_tokens) for record in records] == [(200, 3)]
    assert reserved.settled == [Usage(1, 2, 3)]
