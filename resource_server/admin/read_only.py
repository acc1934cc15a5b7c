"""Pages of tables that are read, not written, and that may be very long: nothing counts all of their rows."""

from datetime import timedelta
from typing import Any, TypeVar, cast

from django.contrib import admin
from django.core.paginator import Paginator
from django.db import models
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import cached_property

Row = TypeVar("Row", bound=models.Model)

_MOST_ROWS = 5_000
"""How far anybody pages; the filters lead further."""
_WINDOWS = {"1": "Last hour", "24": "Last day", "168": "Last week", "744": "Last month", "all": "Ever"}
_DEFAULT_WINDOW = "24"


class BoundedPaginator(Paginator[Row]):
    """Counts no further than anybody reads."""

    @cached_property
    def count(self) -> int:
        return cast("models.QuerySet[Row]", self.object_list).order_by()[:_MOST_ROWS].count()


class SinceFilter(admin.SimpleListFilter):
    """The last hours or days of a table, by its indexed time; a day unless somebody asks for more."""

    title = "time"
    parameter_name = "hours"
    column = "at"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002 - Django's signature
        return list(_WINDOWS.items())

    def choices(self, changelist: Any) -> Any:
        """The windows, without Django's own "All" before them."""
        for value, title in self.lookup_choices:
            yield {
                "selected": (self.value() or _DEFAULT_WINDOW) == value,
                "query_string": changelist.get_query_string({self.parameter_name: value}),
                "display": title,
            }

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:  # noqa: ARG002
        hours = self.value() or _DEFAULT_WINDOW
        if not hours.isdecimal():
            return queryset
        return queryset.filter(**{f"{self.column}__gte": timezone.now() - timedelta(hours=min(int(hours), 9_000))})


class ReadOnlyAdmin(admin.ModelAdmin[Row]):
    """To be looked at. `exact_fields` are what the search box finds, whole and as written."""

    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    actions = None
    search_fields = ("pk",)
    exact_fields: tuple[str, ...] = ()

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002 - Django's signature
        queryset: models.QuerySet[Row],
        search_term: str,
    ) -> tuple[models.QuerySet[Row], bool]:
        """Rows with the term in one of the fields: an index can answer that, a search inside texts it cannot."""
        term = search_term.strip()
        if not term:
            return queryset, False
        wanted = models.Q()
        for name in self.exact_fields:
            wanted |= models.Q(**{name: term})
        return queryset.filter(wanted), False

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django's signature
        return False

    def has_change_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:  # noqa: ARG002
        return False
