"""A cluster's jobs as one caller may see them, from memory."""

from collections.abc import Iterator

import orjson

from resource_server.domain.catalogue import Place, Snapshot
from resource_server.domain.cluster_report import LISTS, Job
from resource_server.domain.errors import NotFound
from resource_server.domain.replies import Reply
from resource_server.identity.base import Caller
from resource_server.services.access import visible
from resource_server.services.catalogue import Catalogue
from resource_server.status.board import Board, Sighting

_BATCH_FIELDS = frozenset({"Batch ID", "Username"})


async def list_jobs(catalogue: Catalogue, board: Board, caller: Caller, cluster: str) -> Reply:
    """The documented lists of jobs, free nodes, and when the cluster said so; empty where it has no status function.

    A job shows those of its models that the caller may use, and is left out without one. A batch's job is shown to
    its own user only.

    Raises:
        NotFound: there is no such cluster, or nothing on it is open to the caller; both read the same.
        AuthUnavailable: everything on it needs the caller's groups, and Globus Groups cannot be asked.
    """
    places = tuple(_list_places(catalogue.snapshot(), cluster))
    shown = await visible(caller, places)
    if not shown:
        raise NotFound(
            f"The cluster {cluster[:100]!r} does not exist here or nothing on it is open to you: "
            "GET /resource_server/list-endpoints lists what is."
        )
    view = _View(shown, places, caller.principal.username)
    return Reply(orjson.dumps(_describe(_find_sighting(board, places[0]), view)))


def _list_places(snapshot: Snapshot, cluster: str) -> Iterator[Place]:
    for (name, _), models in snapshot.paths.items():
        if name == cluster:
            for places in models.values():
                yield from places


def _find_sighting(board: Board, place: Place) -> Sighting | None:
    """What the cluster said last; nothing where it is no longer asked."""
    return board.find(place.cluster.name) if place.cluster.has_status_function else None


def _describe(sighting: Sighting | None, view: "_View") -> dict[str, object]:
    lists: dict[str, list[dict[str, str]]] = {kind: [] for kind in LISTS}
    for job in sighting.report.jobs if sighting is not None else ():
        models = view.models_of(job)
        if models:
            lists[job.kind].append(_describe_job(job, models))
    free_nodes = sighting.report.free_nodes if sighting is not None else None
    as_of = round(sighting.as_of) if sighting is not None else None
    return {**lists, "cluster_status": {"free_nodes": free_nodes}, "as_of": as_of}


def _describe_job(job: Job, models: list[str]) -> dict[str, str]:
    left_out = frozenset[str]() if job.is_batch else _BATCH_FIELDS
    fields = {name: text for name, text in job.fields.items() if name not in left_out}
    return {**fields, "Models": ",".join(models)}


class _View:
    """What one caller sees of one cluster's jobs.

    Args:
        shown: those of `places`, all of the cluster, that the caller may use.
    """

    def __init__(self, shown: list[Place], places: tuple[Place, ...], username: str) -> None:
        self._shown = {place.key[1:] for place in shown}
        hidden = {place.key[1:] for place in places} - self._shown
        # A job that does not say its framework may run any of them: its model is shown where all of them are open.
        self._shown_by_name = {model for _, model in self._shown} - {model for _, model in hidden}
        self._username = username

    def models_of(self, job: Job) -> list[str]:
        """The job's models that the caller may know of."""
        if job.is_batch and (not self._username or job.fields["Username"] != self._username):
            return []
        return [model for model in job.models if self._is_shown(job.framework, model)]

    def _is_shown(self, framework: str, model: str) -> bool:
        return (framework, model) in self._shown if framework else model in self._shown_by_name
