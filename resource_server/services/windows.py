"""A cluster's maintenance planned, changed and ended: what the command and the operator API have in common."""

from datetime import datetime

from django.core.exceptions import ValidationError

from resource_server.models import Cluster
from resource_server.models.catalogue import build_cluster_row, read_endpoints, read_federated


class WindowInvalid(ValueError):
    """A window that cannot be planned; `field` is ``maintenance_until`` or the like."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


def has_window(cluster: Cluster, now: datetime) -> bool:
    """Whether maintenance is in effect or planned."""
    planned = cluster.maintenance_from is not None and now < cluster.maintenance_from
    return planned or build_cluster_row(cluster).is_in_maintenance(now.timestamp())


def plan_window(
    cluster: Cluster, *, begins_at: datetime | None, ends_at: datetime | None, notice: str | None, now: datetime
) -> None:
    """Put the cluster into maintenance; without `begins_at` now, without `ends_at` until somebody ends it.

    Without a `notice`, that of a running or planned maintenance stays.

    Raises:
        WindowInvalid: the window is over, or ends before it begins.
    """
    if notice is not None:
        cluster.maintenance_notice = notice
    elif cluster.maintenance_until is not None and cluster.maintenance_until <= now:
        cluster.maintenance_notice = ""  # it spoke of a maintenance that is over
    cluster.maintenance_from, cluster.maintenance_until = begins_at, ends_at
    cluster.maintenance = begins_at is None
    if ends_at is not None and ends_at <= now:
        raise WindowInvalid("until", f"{ends_at.isoformat(timespec='minutes')} is past")
    try:
        cluster.save()
    except ValidationError as exc:
        raise WindowInvalid("until", "must be after from") from exc


def end_window(cluster: Cluster) -> None:
    """Bring the cluster back, or call off what is planned."""
    cluster.maintenance = False
    cluster.maintenance_from = cluster.maintenance_until = None
    cluster.maintenance_notice = ""
    cluster.save()


def find_or_build_cluster(name: str) -> Cluster:
    """The cluster's row, or a new one, not saved, for a cluster that only targets name.

    Raises:
        LookupError: there is no such cluster; the text names those that are.
    """
    row = Cluster.objects.filter(name=name).first()
    if row is not None:
        return row
    served = {target.cluster for target in read_endpoints()}
    served |= {target.cluster for federated in read_federated() for target in federated.targets}
    if name in served:
        return Cluster(name=name)
    known = sorted(served | set(Cluster.objects.values_list("name", flat=True)))
    raise LookupError(f"There is no cluster {name!r}. Known are: {', '.join(known) or 'none, the catalogue is empty'}.")
