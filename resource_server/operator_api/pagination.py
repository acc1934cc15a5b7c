"""Pages of lists. What grows without end is never counted."""

from rest_framework.pagination import CursorPagination, PageNumberPagination

MAX_PAGE = 500


class RowPages(PageNumberPagination):
    """Numbered pages of the catalogue, which is small."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = MAX_PAGE


class RecordPages(CursorPagination):
    """Pages of records, newest first: ``next`` goes on where this page ended, whatever has come in meanwhile."""

    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = MAX_PAGE


class RequestLogPages(RecordPages):
    """By the index of the time."""

    ordering = ("-received_at", "-id")


class AuditPages(RecordPages):
    """By the primary key: events are written in the order of their times."""

    ordering = ("-id",)
