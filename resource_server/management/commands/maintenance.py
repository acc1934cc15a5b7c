"""``manage.py maintenance``: take a cluster out of service now or at a set time, and bring it back."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from resource_server.models import Cluster
from resource_server.models.catalogue import read_endpoints, read_federated


class Command(BaseCommand):
    """Running gateways read the catalogue every few seconds; nothing has to be restarted."""

    help = "Puts a cluster into maintenance, now or at a set time, or ends it. Gateways follow within seconds."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("cluster")
        parser.add_argument("--from", dest="begins_at", metavar="ISO", help="when it begins; without it, now")
        parser.add_argument("--until", dest="ends_at", metavar="ISO", help="when it ends; without it, at --end")
        parser.add_argument(
            "--notice", help="what clients read, in public; without it, that of a running or planned one stays"
        )
        parser.add_argument("--end", action="store_true", help="end it, or call off what is planned")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        cluster = _find_or_build(options["cluster"])
        if options["end"]:
            if options["begins_at"] or options["ends_at"] or options["notice"] is not None:
                raise CommandError("--end stands alone: it takes no --from, --until or --notice.")
            _end(cluster)
            self.stdout.write(f"{cluster.name} is in service: nothing is planned.")
            return
        _plan(cluster, options)
        begins = _show(cluster.maintenance_from) if cluster.maintenance_from else "now"
        ends = f"until {_show(cluster.maintenance_until)}" if cluster.maintenance_until else "until it is ended (--end)"
        self.stdout.write(f"{cluster.name} is in maintenance from {begins} {ends}.")


def _plan(cluster: Cluster, options: dict[str, Any]) -> None:
    now = datetime.now(UTC)
    if options["notice"] is not None:
        cluster.maintenance_notice = options["notice"]
    elif cluster.maintenance_until is not None and cluster.maintenance_until <= now:
        cluster.maintenance_notice = ""  # it spoke of a maintenance that is over
    cluster.maintenance_from = _parse_time("--from", options["begins_at"])
    cluster.maintenance_until = _parse_time("--until", options["ends_at"])
    cluster.maintenance = cluster.maintenance_from is None
    if cluster.maintenance_until is not None and cluster.maintenance_until <= now:
        raise CommandError(f"--until: {_show(cluster.maintenance_until)} is past.")
    try:
        cluster.save()
    except ValidationError as exc:
        raise CommandError("--until must be after --from.") from exc


def _end(cluster: Cluster) -> None:
    cluster.maintenance = False
    cluster.maintenance_from = cluster.maintenance_until = None
    cluster.maintenance_notice = ""
    cluster.save()


def _find_or_build(name: str) -> Cluster:
    """The cluster's row, or a new one for a cluster that only targets name. Raises `CommandError`."""
    row = Cluster.objects.filter(name=name).first()
    if row is not None:
        return row
    targets = [*read_endpoints(), *(target for federated in read_federated() for target in federated.targets)]
    served = {target.cluster for target in targets}
    if name in served:
        return Cluster(name=name)
    known = sorted(served | set(Cluster.objects.values_list("name", flat=True)))
    raise CommandError(
        f"There is no cluster {name!r}. Known are: {', '.join(known) or 'none, the catalogue is empty'}."
    )


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
