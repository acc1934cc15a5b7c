"""``manage.py explain_route MODEL``: where a model's requests go, and why."""

import json
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from resource_server.models import ClusterStatus
from resource_server.services.catalogue import read_snapshot
from resource_server.services.explain import Explained, UnknownModel, explain_route
from resource_server.status.board import Board

NOTE = (
    "From the catalogue and the clusters' last reports. A gateway also knows its own load, targets that failed lately "
    "and compute endpoints that are offline: see x-gateway-route-reason in its answers, and /metrics."
)


class Command(BaseCommand):
    """Reads the database only."""

    help = "Shows every place of a model in the order in which requests try them, with the reasons."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", help="the name that clients send")
        parser.add_argument("--cluster", help="as on this cluster's own path; with --framework")
        parser.add_argument("--framework", help="as on this framework's own path; with --cluster")
        parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        cluster, framework = options["cluster"], options["framework"]
        if bool(cluster) != bool(framework):
            raise CommandError("--cluster and --framework go together.")
        board, now = Board(), time.time()
        for name, report, as_of in ClusterStatus.objects.values_list("cluster", "report", "as_of"):
            board.restore(name, report, as_of)
        path = (cluster, framework) if cluster else None
        try:
            places = explain_route(read_snapshot(), board, path, options["model"], now)
        except UnknownModel as exc:
            near = f" Near it: {', '.join(exc.near)}." if exc.near else ""
            raise CommandError(f"No model {options['model']!r} is served there.{near}") from exc
        if options["json"]:
            self.stdout.write(json.dumps([asdict(place) for place in places]))
            return
        self.stdout.write(_format(places, now))
        self.stdout.write(NOTE)


def _format(places: Sequence[Explained], now: float) -> str:
    lines = []
    for place in places:
        age = "never reported" if place.as_of is None else f"reported {now - place.as_of:.0f} s ago"
        turn = "-" if place.turn is None else str(place.turn)
        lines.append(f"{turn:>2}  {place.target}  ({age})\n    {place.reason}")
        lines += [f"    only for {rule}" for rule in place.rules]
    return "\n".join(lines)
