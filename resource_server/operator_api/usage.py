"""Sums of requests and tokens."""

from datetime import UTC, datetime, timedelta
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from resource_server.domain.errors import InvalidValue
from resource_server.models import RequestLog
from resource_server.operator_api.base import OperatorView
from resource_server.operator_api.pagination import MAX_PAGE
from resource_server.operator_api.permissions import RowPermissions
from resource_server.operator_api.records import QUERY_LIMIT_S
from resource_server.services.database import bounded_queries
from resource_server.services.usage_report import GROUPS, sum_usage

DEFAULT_DAYS = 30
LONGEST_DAYS = 366
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""Before the first request of any log; a calendar ends in the year 1."""
_FILTERS = ("sub", "username", "model", "cluster", "operation")


class UsageParameters(serializers.Serializer[Any]):
    """The parameters of the report."""

    before = serializers.DateTimeField(required=False, default_timezone=UTC)
    by = serializers.CharField(required=False, allow_blank=True, default="day")
    page = serializers.IntegerField(required=False, min_value=1, max_value=10_000, default=1)
    page_size = serializers.IntegerField(required=False, min_value=1, max_value=MAX_PAGE, default=100)

    def get_fields(self) -> dict[str, Any]:
        """`from` is a word of Python's; the filters are columns of the log."""
        filters = {name: serializers.CharField(required=False, max_length=300) for name in _FILTERS}
        begins_at = serializers.DateTimeField(required=False, default_timezone=UTC)
        return {"from": begins_at, **super().get_fields(), **filters}

    def validate_by(self, text: str) -> list[str]:
        """Names of `GROUPS` between commas."""
        names = [name.strip() for name in text.split(",") if name.strip()]
        if unknown := [name for name in names if name not in GROUPS]:
            raise serializers.ValidationError(f"by: {unknown[0][:100]!r} is none of {', '.join(GROUPS)}")
        return list(dict.fromkeys(names))


class UsageView(OperatorView):
    """The report. Time is bounded, so that it never reads the whole log."""

    purpose = "Usage: requests and tokens by day, user, model or cluster, from the request log."
    permission_classes = (RowPermissions,)
    queryset = RequestLog.objects.all()
    parameters = frozenset(UsageParameters().fields)

    def get(self, request: Request) -> Response:
        """One row for each combination of ``by`` that occurs."""
        serializer = UsageParameters(data=request.query_params)
        serializer.is_valid(raise_exception=True)
        asked = serializer.validated_data
        begins_at, ends_at = _find_bounds(asked.get("from"), asked.get("before"))
        filters = {name: asked[name] for name in _FILTERS if name in asked}
        start = (asked["page"] - 1) * asked["page_size"]
        with bounded_queries(QUERY_LIMIT_S):
            page = slice(start, start + asked["page_size"] + 1)
            rows = sum_usage(begins_at, ends_at, asked["by"], filters, page)
        url = request.build_absolute_uri()
        has_more = len(rows) > asked["page_size"]
        return Response(
            {
                "from": begins_at,
                "before": ends_at,
                "by": asked["by"],
                "next": replace_query_param(url, "page", str(asked["page"] + 1)) if has_more else None,
                "results": [_represent(row) for row in rows[: asked["page_size"]]],
            }
        )


def _find_bounds(begins_at: datetime | None, ends_at: datetime | None) -> tuple[datetime, datetime]:
    """The last 30 days, where nothing else is asked for. Raises `InvalidValue`."""
    before = ends_at or datetime.now(UTC)
    start = begins_at or max(before, _EARLIEST) - timedelta(days=DEFAULT_DAYS)
    if before <= start:
        raise InvalidValue("before: is not after from", param="before")
    if before - start > timedelta(days=LONGEST_DAYS):
        raise InvalidValue(f"from: is more than {LONGEST_DAYS} days before the end, ask year by year", param="from")
    return start, before


def _represent(row: dict[str, Any]) -> dict[str, Any]:
    """The sums under the names that usage has everywhere."""
    shown = {name: value for name, value in row.items() if not name.startswith("sum_")}
    return {**shown, **{f"{kind}_tokens": row[f"sum_{kind}"] for kind in ("prompt", "completion", "total")}}
