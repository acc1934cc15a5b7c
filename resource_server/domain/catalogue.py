"""The catalogue as requests read it: an immutable snapshot, indexed by the names that clients send.

One key everywhere: (cluster, framework, model). Where an `Endpoint` row and federated targets share a key, the
conjunction of all their rules holds on either path, and the `Endpoint` row's UUIDs win.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from resource_server.domain.access import AccessRule
from resource_server.domain.affinity import build_seed
from resource_server.domain.targets import GlobusComputeTarget, Target

Key: TypeAlias = tuple[str, str, str]

OPEN = AccessRule()
NOBODY = AccessRule(group_ids=frozenset({"nobody"}))
"""Passed by nobody, for the group is none: what stands where a row's own rule cannot be read."""


@dataclass(frozen=True, slots=True)
class ClusterRow:
    """A cluster with the values that routing and access need; the defaults are those of an undescribed cluster."""

    name: str
    rule: AccessRule = OPEN
    maintenance: bool = False
    """Switched on by hand, from now."""
    maintenance_notice: str = ""
    maintenance_from: float | None = None
    """POSIX seconds at which it begins by itself; `None` where nothing is planned."""
    maintenance_until: float | None = None
    """POSIX seconds; `None` where no end is known."""
    status_endpoint_uuid: str = ""
    status_function_uuid: str = ""

    def is_in_maintenance(self, now: float) -> bool:
        """Whether a maintenance is in effect at `now`, POSIX seconds: nobody is led here."""
        if not self.maintenance and (self.maintenance_from is None or now < self.maintenance_from):
            return False
        return self.maintenance_until is None or now < self.maintenance_until

    @property
    def has_status_function(self) -> bool:
        """Whether its scheduler can be asked."""
        return bool(self.status_endpoint_uuid and self.status_function_uuid)


@dataclass(frozen=True, slots=True)
class FederatedRow:
    """A public model name and its targets, in the operator's order."""

    name: str
    model: str
    targets: tuple[Target, ...]
    created: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """One target with every rule that guards it. Its `seed` is made of its key, once: see `domain.affinity`."""

    target: Target
    cluster: ClusterRow
    rules: tuple[AccessRule, ...]
    seed: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", build_seed(*self.key))

    @property
    def key(self) -> Key:
        """(cluster, framework, model)."""
        return (self.target.cluster, self.target.framework, self.target.model)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that can be asked for.

    Attributes:
        federated: public model name to its places.
        paths: (cluster, framework) to model name to the one place.
    """

    federated: Mapping[str, tuple[Place, ...]] = field(default_factory=dict)
    paths: Mapping[tuple[str, str], Mapping[str, tuple[Place, ...]]] = field(default_factory=dict)

    def names(self, path: tuple[str, str] | None) -> Mapping[str, tuple[Place, ...]]:
        """The models of the federated base (`None`) or of one cluster and framework; empty where there is none."""
        return self.federated if path is None else self.paths.get(path, {})

    def places(self) -> Iterable[Place]:
        """Every place once per name under which it can be reached."""
        for index in (self.federated, *self.paths.values()):
            for places in index.values():
                yield from places


def build_snapshot(
    clusters: Iterable[ClusterRow],
    endpoints: Iterable[Target],
    federated: Iterable[FederatedRow],
    closed: Iterable[Key] = (),
) -> Snapshot:
    """Index the rows of the database; nobody may use what has one of the keys in `closed`."""
    federated = tuple(federated)
    by_name = {row.name: row for row in clusters}
    own = {_key(target): target for target in endpoints}
    rules: dict[Key, dict[AccessRule, None]] = defaultdict(dict)
    for key in closed:
        rules[key][NOBODY] = None
    first: dict[Key, Target] = {}
    for target in (*own.values(), *(target for row in federated for target in row.targets)):
        first.setdefault(_key(target), target)
        rules[_key(target)][AccessRule(group_ids=frozenset(target.allowed_globus_groups))] = None

    def place(target: Target) -> Place:
        cluster = by_name.get(target.cluster) or ClusterRow(target.cluster)
        guards = (cluster.rule, *rules[_key(target)])
        return Place(_canonical(target, own), cluster, tuple(rule for rule in guards if not rule.is_open()))

    paths: dict[tuple[str, str], dict[str, tuple[Place, ...]]] = defaultdict(dict)
    for key, target in first.items():
        paths[key[:2]][key[2]] = (place(target),)
    return Snapshot({row.model: tuple(place(target) for target in row.targets) for row in federated}, dict(paths))


def _key(target: Target) -> Key:
    return (target.cluster, target.framework, target.model)


def _canonical(target: Target, own: Mapping[Key, Target]) -> Target:
    row = own.get(_key(target))
    if row is None:
        return target
    if not (isinstance(row, GlobusComputeTarget) and isinstance(target, GlobusComputeTarget)):
        return row
    # Whether a function relays is a property of the function, so it follows the function's UUID.
    relay = target.relay if row.function_uuid == target.function_uuid else row.relay
    uuids = {"endpoint_uuid": row.endpoint_uuid, "function_uuid": row.function_uuid, "relay": relay}
    return target.model_copy(update=uuids)
