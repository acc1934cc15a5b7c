"""``manage.py maintenance``: take a cluster out of service now or at a set time, and bring it back."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from resource_server.models import Cluster
from resource_server.services.accounts import find_account_name
from resource_server.services.audit import Action, Actor, Source, content_of, record_change
from resource_server.services.windows import WindowInvalid, end_window, find_or_build_cluster, plan_window


class Command(BaseCommand):
    """Running gateways read the catalogue every few seconds; nothing has to be restarted."""

    help = "Puts a cluster into maintenance, now or at a set time, or ends it. Gateways follow within seconds."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("cluster", help="its name")
        parser.add_argument("--from", dest="begins_at", metavar="ISO", help="when it begins; without it, now")
        parser.add_argument("--until", dest="ends_at", metavar="ISO", help="when it ends; without it, at --end")
        parser.add_argument(
            "--notice", help="what clients read, in public; without it, that of a running or planned one stays"
        )
        parser.add_argument("--end", action="store_true", help="end it, or call off what is planned")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        try:
            cluster = find_or_build_cluster(options["cluster"])
        except LookupError as exc:
            raise CommandError(str(exc)) from exc
        if options["end"] and (options["begins_at"] or options["ends_at"] or options["notice"] is not None):
            raise CommandError("--end stands alone: it takes no --from, --until or --notice.")
        with transaction.atomic():
            action, before = (Action.UPDATE, content_of(cluster)) if cluster.pk else (Action.CREATE, None)
            if options["end"]:
                end_window(cluster)
            else:
                _plan(cluster, options)
            record_change(Actor(Source.COMMAND, name=find_account_name()), action, cluster, before)
        self.stdout.write(_describe(cluster))


def _plan(cluster: Cluster, options: dict[str, Any]) -> None:
    begins_at, ends_at = _parse_time("--from", options["begins_at"]), _parse_time("--until", options["ends_at"])
    try:
        plan_window(cluster, begins_at=begins_at, ends_at=ends_at, notice=options["notice"], now=datetime.now(UTC))
    except WindowInvalid as exc:
        raise CommandError(f"--{exc.field}: {exc}.") from exc


def _describe(cluster: Cluster) -> str:
    if not cluster.maintenance and cluster.maintenance_from is None:
        return f"{cluster.name} is in service: nothing is planned."
    begins = _show(cluster.maintenance_from) if cluster.maintenance_from else "now"
    ends = f"until {_show(cluster.maintenance_until)}" if cluster.maintenance_until else "until it is ended (--end)"
    return f"{cluster.name} is in maintenance from {begins} {ends}."


def _parse_time(option: str, text: str | None) -> datetime | None:
    """A time without a zone is UTC. Raises `CommandError`."""
    if not text:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as exc:
        raise CommandError(
            f"{option}: {text!r} is no time such as 2026-12-01T08:00:00+01:00 (without +…: UTC)."
        ) from exc
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _show(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="minutes")
