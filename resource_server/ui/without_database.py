"""The status page while the database is away: people see what strangers see, and stay signed in."""

import logging
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse

logger = logging.getLogger(__name__)

PREFIX = "/resource_server/ui/"


class WithoutDatabaseMiddleware:
    """Stands behind Django's `SessionMiddleware`: a session that cannot be read counts as none, on these pages only.

    The browser's cookie is left alone, so that the session is there again when the database is. Elsewhere such a
    request fails as it did: a page that changes things must know who asks.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(PREFIX) and settings.SESSION_COOKIE_NAME in request.COOKIES:
            try:
                request.session.get(SESSION_KEY)
            except DatabaseError as exc:
                logger.warning("session_unreadable error=%s", type(exc).__name__)
                # Without the cookie Django sees no reason to delete it from the browser.
                del request.COOKIES[settings.SESSION_COOKIE_NAME]
                request.session = type(request.session)()
                request.sessions_away = True  # type: ignore[attr-defined]
        return self._get_response(request)


def are_sessions_away(request: HttpRequest) -> bool:
    """Whether there is a session that could not be read."""
    return bool(getattr(request, "sessions_away", False))
