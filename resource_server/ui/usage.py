"""What one person has used, from the request log; blocks."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import DatabaseError, connection, transaction
from django.db.models import Count, Q, Sum
from django.db.models.functions import Coalesce, TruncDate

from resource_server.models import RequestLog

DAYS = 14
MAX_ROWS = 50
STATEMENT_TIMEOUT_MS = 2000
_FAILED = 400


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One model on one day, UTC; tokens as the frameworks counted them."""

    day: date
    model: str
    requests: int
    failed: int
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Usage:
    """The newest `MAX_ROWS` rows of the last `DAYS` days; `is_cut` where there are more."""

    rows: list[UsageRow]
    is_cut: bool
    days: int = DAYS


def find_usage(sub: str) -> Usage | None:
    """What the identity `sub` has used; `None` where the database cannot say within two seconds."""
    try:
        with transaction.atomic():
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute(f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS}")
            rows = _read(sub)
    except DatabaseError:
        return None
    return Usage(rows[:MAX_ROWS], len(rows) > MAX_ROWS)


def _read(sub: str) -> list[UsageRow]:
    since = datetime.now(UTC) - timedelta(days=DAYS)
    found = (
        RequestLog.objects.filter(sub=sub, received_at__gte=since)
        .exclude(model="")
        .annotate(day=TruncDate("received_at", tzinfo=UTC))
        .values("day", "model")
        .annotate(
            requests=Count("pk"),
            failed=Count("pk", filter=Q(status__gte=_FAILED)),
            prompt=Coalesce(Sum("prompt_tokens"), 0),
            completion=Coalesce(Sum("completion_tokens"), 0),
        )
        .order_by("-day", "model")[: MAX_ROWS + 1]
    )
    return [
        UsageRow(row["day"], row["model"], row["requests"], row["failed"], row["prompt"], row["completion"])
        for row in found
    ]
