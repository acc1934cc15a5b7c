"""What the gateway was used for, summed up from the request log by the database."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db.models import Count, Max, Q, Sum
from django.db.models.functions import Coalesce, TruncDate

from resource_server.models import RequestLog

GROUPS = ("day", "user", "model", "cluster")
_COLUMNS = {"user": "sub", "model": "model", "cluster": "cluster"}
_FAILED_FROM = 400


def sum_usage(
    begins_at: datetime, ends_at: datetime, by: Sequence[str], filters: Mapping[str, str], page: slice
) -> list[dict[str, Any]]:
    """One row for each combination of `by` that occurs: newest day first, then the most tokens first.

    Args:
        begins_at: the first moment that counts.
        ends_at: the first that does not.
        by: of `GROUPS`; days are UTC. None of them sums up everything in one row.
        filters: values that columns of the log must have.
        page: which of the rows.
    """
    rows = RequestLog.objects.filter(received_at__gte=begins_at, received_at__lt=ends_at, **filters).order_by()
    sums = {
        "requests": Count("id"),
        "failed": Count("id", filter=Q(status__gte=_FAILED_FROM)),
        **{f"sum_{kind}": Coalesce(Sum(f"{kind}_tokens"), 0) for kind in ("prompt", "completion", "total")},
    }
    if not by:
        return [rows.aggregate(**sums)][page]
    columns = [_COLUMNS.get(name, name) for name in by]
    names = {"username": Max("username")} if "user" in by else {}
    days = {"day": TruncDate("received_at", tzinfo=UTC)} if "day" in by else {}
    order = (["-day"] if days else []) + ["-sum_total", *columns]
    return list(rows.annotate(**days).values(*columns).annotate(**names, **sums).order_by(*order)[page])
