"""Maintenance of clusters in the words that clients read."""

from collections.abc import Iterable
from datetime import UTC, datetime

from resource_server.domain.catalogue import ClusterRow, Place
from resource_server.domain.errors import GatewayError, Maintenance, ModelOffline
from resource_server.domain.standing import Standing
from resource_server.domain.states import ModelState

RETRY_AFTER_S = 30


def build_gone(places: Iterable[tuple[Place, Standing]]) -> GatewayError:
    """Why none of these places can be tried: where one is in maintenance, its notice; else they are offline."""
    for place, standing in places:
        if standing.state is ModelState.MAINTENANCE:
            return Maintenance(describe_maintenance(place.cluster))
    return ModelOffline("This model is offline everywhere at the moment. Try again later.", retry_after_s=RETRY_AFTER_S)


def describe_maintenance(cluster: ClusterRow) -> str:
    """The operator's notice, and when it ends."""
    notice = cluster.maintenance_notice or f"The cluster {cluster.name} is in maintenance."
    until = _format_time(cluster.maintenance_until)
    return f"{notice} It ends at {until}." if until else notice


def describe_window(cluster: ClusterRow, now: float) -> dict[str, object] | None:
    """The maintenance that is in effect or planned; `None` where there is none."""
    is_planned = cluster.maintenance_from is not None and now < cluster.maintenance_from
    is_in_effect = cluster.is_in_maintenance(now)
    if not (is_in_effect or is_planned):
        return None
    return {
        "in_effect": is_in_effect,
        "from": _format_time(cluster.maintenance_from),
        "until": _format_time(cluster.maintenance_until),
        "notice": cluster.maintenance_notice,
    }


def _format_time(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
