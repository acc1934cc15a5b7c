"""What is known of every cluster, and what that makes of each target: the newest reports, and what they taught.

One process writes it, all read it; between them it travels as JSON, checked like anything from outside.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import orjson

from resource_server.domain.catalogue import Key, Place
from resource_server.domain.cluster_report import ClusterReport, Job, ReportInvalid, parse_cluster_report
from resource_server.domain.standing import Standing
from resource_server.domain.states import ModelState
from resource_server.domain.targets import Target
from resource_server.status.durations import Durations

STALE_S = 600.0
"""A report that is older says nothing of now; clusters are asked more than twice as often."""
_BEST_FIRST = (ModelState.HOT, ModelState.STARTING, ModelState.QUEUED)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A cluster's report as its function gave it, and when: POSIX seconds, for processes have to agree on it."""

    raw: str
    report: ClusterReport
    as_of: float
    _best: Mapping[tuple[str, str], Job] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_best", _index_best(self.report.jobs))

    def find_best(self, framework: str, model: str) -> Job | None:
        """The job that serves the model soonest; one that names no framework may run any."""
        named, unnamed = self._best.get((framework, model)), self._best.get(("", model))
        if named is None or unnamed is None:
            return named or unnamed
        return min(named, unnamed, key=_find_wait)


def see(cluster: str, raw: str, as_of: float) -> Sighting:
    """A report, parsed and indexed: 100 ms for 5,000 jobs, so not in the event loop. Raises `ReportInvalid`."""
    return Sighting(raw, parse_cluster_report(raw, cluster), as_of)


@dataclass(slots=True)
class Board:
    """Every cluster's newest report, in this process."""

    clock: Callable[[], float] = time.time
    sightings: dict[str, Sighting] = field(default_factory=dict)
    durations: Durations = field(default_factory=Durations)

    def note(self, cluster: str, raw: str, as_of: float) -> None:
        """Take a report in, and learn from it. Raises `ReportInvalid`: then what was known stays."""
        self.take(cluster, see(cluster, raw, as_of))

    def take(self, cluster: str, sighting: Sighting) -> None:
        """Take in what `see` made of a report, and learn from it."""
        self.sightings[cluster] = sighting
        self.durations.learn(cluster, _states(cluster, sighting.report), sighting.as_of)

    def find(self, cluster: str) -> Sighting | None:
        """The cluster's report, however old."""
        return self.sightings.get(cluster)

    def standing(self, place: Place, backend_state: ModelState) -> Standing:
        """Where the place stands: the cluster's word, within what its backend says.

        Without a fresh report it is the backend's word alone: hot while the endpoint answers, and tried.
        """
        sighting = self.sightings.get(place.target.cluster)
        if backend_state is not ModelState.HOT or sighting is None or not self.is_fresh(sighting):
            return Standing(backend_state)
        job = sighting.find_best(place.target.framework, place.target.model)
        as_of, free_nodes = sighting.as_of, sighting.report.free_nodes
        if job is None:
            return Standing(ModelState.COLD, as_of, self.durations.find(place.key), free_nodes)
        if job.state is ModelState.HOT:
            return Standing(ModelState.HOT, as_of, None, free_nodes, self._left_s(job, sighting))
        return Standing(job.state, as_of, self._find_eta_s(place.key, job), free_nodes)

    def find_host(self, target: Target) -> str | None:
        """The node of the job that serves the target, as its cluster's fresh report names it: untrusted text."""
        sighting = self.sightings.get(target.cluster)
        if sighting is None or not self.is_fresh(sighting):
            return None
        job = sighting.find_best(target.framework, target.model)
        return job.fields["Host Name"] if job is not None and job.state is ModelState.HOT else None

    def is_fresh(self, sighting: Sighting) -> bool:
        """Whether the report still says something of now."""
        return self.clock() - sighting.as_of <= STALE_S

    def encode_index(self) -> bytes:
        """Which reports there are, and what was learned, for other processes; the reports travel one by one."""
        reports = {name: sighting.as_of for name, sighting in self.sightings.items()}
        return orjson.dumps({"reports": reports, "durations": self.durations.encode()})

    def read_index(self, data: bytes) -> list[str]:
        """The clusters of which another process knows something newer; what is malformed is passed over."""
        try:
            document = orjson.loads(data)
        except orjson.JSONDecodeError:
            return []
        if not isinstance(document, dict):
            return []
        self.durations.update(document.get("durations"))
        reports = document.get("reports")
        found = reports.items() if isinstance(reports, dict) else ()
        return [cluster for cluster, as_of in found if isinstance(as_of, float) and self._is_older(cluster, as_of)]

    def forget(self, clusters: Iterable[str]) -> None:
        """Drop what is known of clusters that are no longer asked."""
        for cluster in clusters:
            self.sightings.pop(cluster, None)

    def restore(self, cluster: str, raw: str, as_of: float) -> None:
        """Take over what was known elsewhere or earlier, where it is newer and says anything."""
        with suppress(ReportInvalid):
            self.keep(cluster, see(cluster, raw, as_of))

    def keep(self, cluster: str, sighting: Sighting) -> None:
        """The same for a report that `see` has read."""
        if self._is_older(cluster, sighting.as_of):
            self.sightings[cluster] = sighting

    def _is_older(self, cluster: str, as_of: float) -> bool:
        known = self.sightings.get(cluster)
        return known is None or known.as_of < as_of

    def _left_s(self, job: Job, sighting: Sighting) -> float | None:
        if job.walltime_left_s is None:
            return None
        return max(job.walltime_left_s - (self.clock() - sighting.as_of), 0.0)

    def _find_eta_s(self, key: Key, job: Job) -> float | None:
        now = self.clock()
        start_s = self.durations.find(key)
        if job.state is ModelState.QUEUED:
            if job.starts_at is None:
                return None
            return max(job.starts_at - now, 0.0) + (start_s or 0.0)
        began_at = self.durations.began_at(key)
        if start_s is None or began_at is None:
            return None
        return max(began_at + start_s - now, 0.0)


def _find_wait(job: Job) -> tuple[int, float]:
    return _BEST_FIRST.index(job.state), job.starts_at or 0.0


def _index_best(jobs: Iterable[Job]) -> dict[tuple[str, str], Job]:
    """By (framework, model): made once a report, for it is read for every target of every request."""
    best: dict[tuple[str, str], Job] = {}
    for job in jobs:
        if job.is_batch or job.state not in _BEST_FIRST:
            continue
        for model in job.models:
            known = best.setdefault((job.framework, model), job)
            if _find_wait(job) < _find_wait(known):
                best[job.framework, model] = job
    return best


def _states(cluster: str, report: ClusterReport) -> Mapping[Key, ModelState]:
    """The best state of each key that a serving job names."""
    states: dict[Key, ModelState] = {}
    for job in report.jobs:
        if job.is_batch or job.state not in _BEST_FIRST:
            continue
        for model in job.models:
            key = (cluster, job.framework, model)
            if key not in states or _BEST_FIRST.index(job.state) < _BEST_FIRST.index(states[key]):
                states[key] = job.state
    return states
