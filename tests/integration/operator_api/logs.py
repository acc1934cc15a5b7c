"""Request logs for tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

from resource_server.models import RequestLog
from tests.personas import ALICE, BOB

DAY = datetime(2026, 3, 1, tzinfo=UTC)


def build_log(count: int = 1, **fields: Any) -> None:
    """`count` requests, a minute apart from `DAY` on, by alice and bob in turns."""
    first = RequestLog.objects.count() + 1
    rows = []
    for number in range(first, first + count):
        who = (ALICE, BOB)[number % 2]
        values = {
            "request_id": f"req-{number}",
            "received_at": DAY + timedelta(minutes=number),
            "sub": who.id,
            "username": who.username,
            "method": "POST",
            "operation": "chat/completions",
            "model": f"m{number % 3}",
            "cluster": "polaris",
            "status": 200,
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 15,
            "duration_ms": 1.0,
            **fields,
        }
        rows.append(RequestLog(**values))
    RequestLog.objects.bulk_create(rows)
