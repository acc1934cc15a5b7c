"""What a cluster's status function says, parsed as untrusted JSON: jobs with their models, and free nodes.

The keys are those of the functions in the field (`compute-functions/README.md`). A report speaks of its own cluster
only: what it says of another one is dropped.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from resource_server.domain.states import ModelState

MAX_BYTES = 1024 * 1024
MAX_JOBS = 5_000
MAX_TEXT = 300
MAX_MODELS = 50
LISTS = ("running", "queued", "others", "private-batch-running", "private-batch-queued")

_WORDS = {
    "hot": ModelState.HOT,
    "running": ModelState.HOT,
    "starting": ModelState.STARTING,
    "queued": ModelState.QUEUED,
}
"""Words of functions in the field and what they mean; any other is a job that will not serve: `cold`."""
_CLOCK = re.compile(r"(?:(\d{1,4})-)?(\d{1,5}):([0-5]?\d):([0-5]?\d)")
_MAX_SECONDS = 10_000_000


class ReportInvalid(ValueError):
    """A report that says nothing usable; the text is for logs."""


@dataclass(frozen=True, slots=True)
class Job:
    """One scheduler job.

    Attributes:
        kind: the list it stands in, one of `LISTS`.
        models: the names it serves.
        fields: the entry as a client may see it: short texts, no name but the documented ones.
        walltime_left_s: `None` where it is not said.
        starts_at: POSIX seconds, the scheduler's estimate; `None` where it has none.
    """

    kind: str
    models: tuple[str, ...]
    framework: str
    state: ModelState
    fields: Mapping[str, str]
    walltime_left_s: float | None = None
    starts_at: float | None = None

    @property
    def is_batch(self) -> bool:
        """Whether it works on a batch, and serves nobody else."""
        return self.kind.startswith("private-batch") or bool(self.fields.get("Batch ID"))


@dataclass(frozen=True, slots=True)
class ClusterReport:
    """One cluster's jobs and free nodes; `None` where the scheduler did not say how many."""

    jobs: tuple[Job, ...] = ()
    free_nodes: int | None = None


FIELDS = (
    "Models",
    "Framework",
    "Cluster",
    "Model Status",
    "Job ID",
    "Job State",
    "Host Name",
    "Job Comments",
    "Nodes Reserved",
    "Walltime",
    "Walltime Left",
    "Estimated Start Time",
    "Batch ID",
    "Username",
)


def parse_cluster_report(data: str | bytes, cluster: str) -> ClusterReport:
    """The report of `cluster`. Raises `ReportInvalid`."""
    if len(data) > MAX_BYTES:
        raise ReportInvalid(f"over {MAX_BYTES} bytes")
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as exc:
        raise ReportInvalid("not JSON") from exc
    if not isinstance(document, dict):
        raise ReportInvalid("no JSON object")
    if document.get("error"):
        raise ReportInvalid(f"the function says: {str(document['error'])[:MAX_TEXT]}")
    if not any(isinstance(document.get(kind), list) for kind in LISTS):
        raise ReportInvalid("no list of jobs")
    jobs = tuple(_parse_jobs(document, cluster))
    return ClusterReport(jobs, _parse_free_nodes(document.get("cluster_status")))


def _parse_jobs(document: dict[str, object], cluster: str) -> Iterable[Job]:
    left = MAX_JOBS
    for kind in LISTS:
        entries = document.get(kind)
        for entry in (entries if isinstance(entries, list) else [])[:left]:
            left -= 1
            job = _parse_job(kind, entry, cluster) if isinstance(entry, dict) else None
            if job is not None:
                yield job


def _parse_job(kind: str, entry: dict[object, object], cluster: str) -> Job | None:
    fields = {name: _text(entry.get(name)) for name in FIELDS}
    fields["Models"] = _text(entry.get("Models") or entry.get("Models Served"), MAX_TEXT * MAX_MODELS)
    if fields["Cluster"] not in {"", cluster}:
        return None
    fields["Cluster"] = cluster
    state = _find_state(kind, fields["Model Status"])
    fields["Model Status"] = state.value
    models = tuple(name.strip() for name in fields["Models"].split(",") if name.strip())[:MAX_MODELS]
    left_s, starts_at = _parse_duration_s(fields["Walltime Left"]), _parse_time(fields["Estimated Start Time"])
    return Job(kind, models, fields["Framework"], state, fields, left_s, starts_at)


def _find_state(kind: str, word: str) -> ModelState:
    if kind == "others":
        return ModelState.COLD
    if kind in {"queued", "private-batch-queued"}:
        return ModelState.QUEUED
    return _WORDS.get(word.strip().lower(), ModelState.STARTING)


def _text(value: object, most: int = MAX_TEXT) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return "".join(character for character in str(value)[:most] if character.isprintable())


def _parse_duration_s(text: str) -> float | None:
    """Seconds, or ``[days-]hours:minutes:seconds``."""
    match = _CLOCK.fullmatch(text.strip())
    if match is not None:
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return min(((days * 24 + hours) * 60 + minutes) * 60 + seconds, _MAX_SECONDS)
    is_count = text.isascii() and text.isdigit()
    return float(min(int(text), _MAX_SECONDS)) if is_count else None


def _parse_time(text: str) -> float | None:
    try:
        parsed = datetime.fromisoformat(text)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _parse_free_nodes(status: object) -> int | None:
    free = status.get("free_nodes") if isinstance(status, dict) else None
    return min(free, 1_000_000) if isinstance(free, int) and not isinstance(free, bool) and free >= 0 else None
