"""One record per request: what was asked, how it ended, how long it took. No prompt, no name, no address."""

import logging
import time

from asgiref.typing import ASGISendCallable, ASGISendEvent, HTTPScope

from resource_server.services.ledger import CLIENT_LEFT, Entry

logger = logging.getLogger(__name__)


class AccessRecord:
    """The record of one request, written once its answer has ended.

    Attributes:
        route: the route's template, for a path may hold what a user wrote.
        entry: what the ledger knows of it, where it asks for inference.
    """

    def __init__(self, scope: HTTPScope, send: ASGISendCallable) -> None:
        self._method = scope["method"]
        self._send = send
        self._received_at = time.perf_counter()
        self._status = CLIENT_LEFT
        self.route = ""
        self.entry: Entry | None = None

    async def send(self, event: ASGISendEvent) -> None:
        """Pass `event` on, and see the answer's status in it."""
        if event["type"] == "http.response.start":
            self._status = event["status"]
        await self._send(event)

    def write(self) -> None:
        """Say it."""
        entry = self.entry
        place = entry.place if entry else None
        fields = {
            "method": self._method,
            "route": self.route or None,
            "status": self._status,
            "duration_ms": round((time.perf_counter() - self._received_at) * 1000, 1),
            "sub": entry.principal.sub if entry and entry.principal else None,
            "model": (entry.model[:300] or None) if entry else None,
            "cluster": place.target.cluster if place else None,
        }
        text = " ".join(f"{name}={value}" for name, value in fields.items() if value is not None)
        logger.info("request %s", text, extra={"fields": fields})
