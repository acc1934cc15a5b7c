"""The series that the libraries in the process keep in prometheus_client's registry, and which of them are shown.

django-prometheus counts what the ORM does; the rest is about the process itself, carries its ``pid``,
and goes with it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import REGISTRY

_VENDOR = ("alias", "vendor")


@dataclass(frozen=True, slots=True)
class LibrarySeries:
    """What is shown of a library's series; `per_process` ones get the label ``pid``."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()
    per_process: bool = True


LIBRARY_SERIES = (
    LibrarySeries("process_cpu_seconds_total", "counter", "CPU time of the process, user and system."),
    LibrarySeries("process_resident_memory_bytes", "gauge", "Resident memory of the process."),
    LibrarySeries("process_virtual_memory_bytes", "gauge", "Virtual memory of the process."),
    LibrarySeries("process_start_time_seconds", "gauge", "When the process started, POSIX time."),
    LibrarySeries("process_open_fds", "gauge", "File descriptors that the process has open."),
    LibrarySeries("process_max_fds", "gauge", "File descriptors that the process may open."),
    LibrarySeries("python_gc_collections_total", "counter", "Runs of Python's collector.", ("generation",)),
    LibrarySeries("python_gc_objects_collected_total", "counter", "Objects that the collector freed.", ("generation",)),
    LibrarySeries(
        "python_gc_objects_uncollectable_total",
        "counter",
        "Objects that the collector could not free.",
        ("generation",),
    ),
    LibrarySeries(
        "python_info",
        "gauge",
        "1; the labels tell Python's version.",
        ("implementation", "major", "minor", "patchlevel", "version"),
    ),
    LibrarySeries("django_db_execute_total", "counter", "Statements executed.", _VENDOR, per_process=False),
    LibrarySeries(
        "django_db_execute_many_total", "counter", "Statements executed in bulk.", _VENDOR, per_process=False
    ),
    LibrarySeries(
        "django_db_errors_total", "counter", "Statements that failed.", (*_VENDOR, "type"), per_process=False
    ),
    LibrarySeries("django_db_new_connections_total", "counter", "Connections opened.", _VENDOR, per_process=False),
    LibrarySeries(
        "django_db_new_connection_errors_total", "counter", "Connections that failed.", _VENDOR, per_process=False
    ),
    LibrarySeries(
        "django_db_query_duration_seconds", "histogram", "Duration of statements.", _VENDOR, per_process=False
    ),
)
_NAMES = {series.name.removesuffix("_total"): series for series in LIBRARY_SERIES}

Sample = tuple[str, list[tuple[str, str]], float]
"""Name, labels and value."""


def read_libraries(pid: str) -> Iterator[tuple[LibrarySeries, list[Sample]]]:
    """What the libraries have counted in this process, up to now."""
    for family in REGISTRY.collect():
        series = _NAMES.get(family.name)
        if series is not None:
            own = [("pid", pid)] if series.per_process else []
            yield (
                series,
                [
                    (sample.name, [*sample.labels.items(), *own], sample.value)
                    for sample in family.samples
                    if not sample.name.endswith("_created")
                ],
            )
