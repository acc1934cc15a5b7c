"""``manage.py runserver`` on ASGI: Django's own is WSGI, which knows no lifespan and swallows streams."""

import argparse
import os
import re
from typing import Any

import uvicorn
from django.core.management.base import BaseCommand, CommandError

from inference_gateway.protocol import EnvelopeProtocol

MAX_PORT = 65535
RELOAD_DRAIN_S = "5"
"""Whoever saves a file does not want to wait for streams that still run."""
_ADDRESS = re.compile(r"(?:(?P<host>[^:\[\]]+|\[[0-9a-fA-F:]+\]):)?(?P<port>\d{1,5})")


class Command(BaseCommand):
    """Serve for development, reloading when the code changes."""

    help = "Starts the gateway for development, on ASGI."
    requires_system_checks = "__all__"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("addrport", nargs="?", default="127.0.0.1:8000", help="Port, or address:port.")
        parser.add_argument("--noreload", action="store_true", help="Do not restart when the code changes.")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        match = _ADDRESS.fullmatch(options["addrport"])
        if match is None or not 0 < int(match["port"]) <= MAX_PORT:
            raise CommandError(f"{options['addrport']!r} is not a port or address:port.")
        if not options["noreload"]:
            os.environ.setdefault("DRAIN_S", RELOAD_DRAIN_S)  # the serving process is another one, which reads it anew
        uvicorn.run(
            "inference_gateway.asgi:application",
            host=(match["host"] or "127.0.0.1").strip("[]"),
            port=int(match["port"]),
            reload=not options["noreload"],
            http=EnvelopeProtocol,
            lifespan="on",
            server_header=False,
            timeout_graceful_shutdown=5,
        )
