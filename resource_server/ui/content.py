"""What the page shows, asked of the same use cases as the API: nobody sees here what their token would not show."""

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

from resource_server.domain.access import needs_groups
from resource_server.domain.cluster_report import LISTS
from resource_server.domain.errors import AuthUnavailable, CatalogueStale, GatewayError, ReauthenticationRequired
from resource_server.domain.operations import Operation
from resource_server.domain.replies import Reply
from resource_server.domain.states import ModelState
from resource_server.identity.base import Caller
from resource_server.services.jobs import list_jobs
from resource_server.services.maintenance import describe_window
from resource_server.services.models import list_endpoints, list_models
from resource_server.ui.words import MEANINGS, describe_age, describe_eta, describe_time
from resource_server.wiring import Gateway

_QUEUED = tuple(kind for kind in LISTS if kind.endswith(ModelState.QUEUED))
_RUNNING = tuple(kind for kind in LISTS if kind.endswith("running"))
_BEST_FIRST = [state.value for state in ModelState]
FEDERATED = "/resource_server/v1"


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model in words; `age` is empty where nobody has said how it stands."""

    name: str
    state: str
    meaning: str
    eta: str
    age: str
    operations: tuple[str, ...]
    is_chat: bool


@dataclass(frozen=True, slots=True)
class Framework:
    """The models of one framework of a cluster, and the path of their base URL."""

    name: str
    path: str
    models: list[ModelRow]


@dataclass(frozen=True, slots=True)
class Window:
    """A maintenance in words; times are empty where none is known."""

    cluster: str
    is_in_effect: bool
    begins: str
    ends: str
    notice: str


@dataclass(frozen=True, slots=True)
class ClusterView:
    """One cluster. `counts` is for strangers; what stands behind it is for people who have signed in.

    Numbers are `None` where the cluster's scheduler has not said.
    """

    name: str
    age: str
    window: Window | None
    counts: list[tuple[str, int]] = field(default_factory=list)
    frameworks: list[Framework] = field(default_factory=list)
    free_nodes: int | None = None
    running: int | None = None
    queued: int | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """The gateway's state for one reader.

    Attributes:
        is_known: false while the catalogue cannot be read: the lists are empty then.
        are_groups_known: false while what needs a Globus group is left out.
    """

    models: list[ModelRow] = field(default_factory=list)
    clusters: list[ClusterView] = field(default_factory=list)
    is_known: bool = True
    are_groups_known: bool = True

    @property
    def windows(self) -> list[Window]:
        """Maintenances, those in effect first."""
        found = [cluster.window for cluster in self.clusters if cluster.window]
        return sorted(found, key=lambda window: not window.is_in_effect)

    def find_example(self) -> tuple[str, str | None]:
        """The path of a base URL and a chat model for the examples, one that answers soon where there is one."""
        bases = [(FEDERATED, self.models)]
        bases += [(framework.path, framework.models) for cluster in self.clusters for framework in cluster.frameworks]
        for path, models in bases:
            chat = sorted((row for row in models if row.is_chat), key=lambda row: _BEST_FIRST.index(row.state))
            if chat:
                return path, chat[0].name
        return FEDERATED, None


async def read_public(gateway: Gateway) -> Content:
    """What everybody may know."""
    try:
        document = _read(gateway.public_status.describe())
    except CatalogueStale:
        return Content(is_known=False)
    now = time.time()
    clusters = [
        ClusterView(
            name,
            describe_age(cluster["as_of"], now),
            _build_window(name, cluster["maintenance"]),
            [(state, count) for state, count in cluster["models"].items() if count],
        )
        for name, cluster in document["clusters"].items()
    ]
    return Content(clusters=clusters)


async def read_personal(gateway: Gateway, caller: Caller) -> Content:
    """What this caller may use."""
    try:
        models = _read(await list_models(gateway.models, caller, None))["data"]
        tree = _read(await list_endpoints(gateway.models, caller))["clusters"]
        clusters = [await _read_cluster(gateway, caller, name, cluster["frameworks"]) for name, cluster in tree.items()]
        are_groups_known = await _are_groups_known(gateway, caller)
    except CatalogueStale:
        return Content(is_known=False)
    return Content(_build_rows(models), clusters, are_groups_known=are_groups_known)


async def _read_cluster(gateway: Gateway, caller: Caller, name: str, frameworks: Iterable[str]) -> ClusterView:
    views = []
    for framework in frameworks:
        models = _read(await list_models(gateway.models, caller, (name, framework)))["data"]
        views.append(Framework(framework, f"/resource_server/{name}/{framework}/v1", _build_rows(models)))
    now = time.time()
    row = next((row for row in gateway.catalogue.clusters() if row.name == name), None)
    window = _build_window(name, describe_window(row, now) if row else None)
    jobs: dict[str, Any] = {}
    with suppress(GatewayError):  # its models are shown without them
        jobs = _read(await list_jobs(gateway.catalogue, gateway.board, caller, name))
    if jobs.get("as_of") is None:
        return ClusterView(name, "", window, frameworks=views)
    running, queued = (sum(len(jobs[kind]) for kind in kinds) for kinds in (_RUNNING, _QUEUED))
    age, free_nodes = describe_age(jobs["as_of"], now), jobs["cluster_status"]["free_nodes"]
    return ClusterView(name, age, window, frameworks=views, free_nodes=free_nodes, running=running, queued=queued)


async def _are_groups_known(gateway: Gateway, caller: Caller) -> bool:
    if any(needs_groups(place.rules) for place in gateway.catalogue.snapshot().places()):
        try:
            await caller.groups()
        except (AuthUnavailable, ReauthenticationRequired):
            return False
    return True


def _read(reply: Reply) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(reply.body)
    return document


def _build_rows(models: Iterable[Mapping[str, Any]]) -> list[ModelRow]:
    return [_build_row(model, time.time()) for model in models]


def _build_row(model: Mapping[str, Any], now: float) -> ModelRow:
    state = ModelState(model["status"])
    return ModelRow(
        name=model["id"],
        state=state.value,
        meaning=MEANINGS[state],
        eta=describe_eta(state, model["eta_s"]),
        age=describe_age(model["as_of"], now),
        operations=tuple(model["capabilities"]),
        is_chat=Operation.CHAT_COMPLETIONS.value in model["capabilities"],
    )


def _build_window(cluster: str, window: Mapping[str, Any] | None) -> Window | None:
    if window is None:
        return None
    return Window(
        cluster, window["in_effect"], describe_time(window["from"]), describe_time(window["until"]), window["notice"]
    )
