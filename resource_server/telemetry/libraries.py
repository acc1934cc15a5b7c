"""The series that the libraries in the process keep in prometheus_client's registry, and which of them are shown.

django-prometheus counts what the ORM does; the rest is about the process itself, carries its ``pid``, and goes with it.
"""

from collections.abc import Iterable, Iterator

from prometheus_client import REGISTRY
from prometheus_client.samples import Sample

from resource_server.telemetry.kinds import Amount, Counter, Gauge, Histogram, Label, Values

_PID = Label("pid")
_GENERATION = (Label("generation"), _PID)
_VERSION = ("implementation", "major", "minor", "patchlevel", "version")
_DATABASE = (Label("alias"), Label("vendor"))

LIBRARY_SERIES = (
    Counter(
        name="process_cpu_seconds_total",
        help="CPU time of the process, user and system.",
        labels=(_PID,),
        lasting=False,
    ),
    Gauge(name="process_resident_memory_bytes", help="Resident memory of the process.", labels=(_PID,)),
    Gauge(name="process_virtual_memory_bytes", help="Virtual memory of the process.", labels=(_PID,)),
    Gauge(name="process_start_time_seconds", help="When the process started, POSIX time.", labels=(_PID,)),
    Gauge(name="process_open_fds", help="File descriptors that the process has open.", labels=(_PID,)),
    Gauge(name="process_max_fds", help="File descriptors that the process may open.", labels=(_PID,)),
    Counter(name="python_gc_collections_total", help="Runs of Python's collector.", labels=_GENERATION, lasting=False),
    Counter(
        name="python_gc_objects_collected_total",
        help="Objects that the collector freed.",
        labels=_GENERATION,
        lasting=False,
    ),
    Counter(
        name="python_gc_objects_uncollectable_total",
        help="Objects that the collector could not free.",
        labels=_GENERATION,
        lasting=False,
    ),
    Gauge(
        name="python_info",
        help="1; the labels tell Python's version.",
        labels=(*map(Label, _VERSION), _PID),
    ),
    Counter(name="django_db_execute_total", help="Statements executed.", labels=_DATABASE),
    Counter(name="django_db_execute_many_total", help="Statements executed in bulk.", labels=_DATABASE),
    Counter(name="django_db_errors_total", help="Statements that failed.", labels=(*_DATABASE, Label("type"))),
    Counter(name="django_db_new_connections_total", help="Connections opened.", labels=_DATABASE),
    Counter(name="django_db_new_connection_errors_total", help="Connections that failed.", labels=_DATABASE),
    Histogram(
        name="django_db_query_duration_seconds",
        help="Duration of statements.",
        labels=_DATABASE,
        buckets=(0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 25, 50, 75),
    ),
)
_BY_NAME = {series.name.removesuffix("_total"): series for series in LIBRARY_SERIES}


def read_libraries(pid: str) -> Iterator[tuple[str, dict[Values, Amount]]]:
    """What the libraries have counted in this process, by series; blocks, for it reads /proc."""
    for family in REGISTRY.collect():
        series = _BY_NAME.get(family.name)
        if isinstance(series, Histogram):
            yield series.name, _read_histogram(series, family.samples)
        elif series is not None:
            samples = (sample for sample in family.samples if not sample.name.endswith("_created"))
            yield series.name, {_values(series, sample, pid): sample.value for sample in samples}


def _read_histogram(series: Histogram, samples: Iterable[Sample]) -> dict[Values, Amount]:
    """Prometheus's buckets hold what is in those below as well; ours do not."""
    children: dict[Values, list[float]] = {}
    below: dict[Values, float] = {}
    for sample in samples:
        values = _values(series, sample, "")
        child = children.setdefault(values, [0])
        if sample.name.endswith("_sum"):
            child[0] = sample.value
        elif sample.name.endswith("_bucket"):
            child.append(sample.value - below.get(values, 0))
            below[values] = sample.value
    return {values: child for values, child in children.items() if len(child) == len(series.buckets) + 2}


def _values(series: Counter | Gauge | Histogram, sample: Sample, pid: str) -> Values:
    return tuple(sample.labels.get(label.name, pid) for label in series.labels)
