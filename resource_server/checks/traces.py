"""Rules about traces."""

from collections.abc import Iterator

from resource_server.checks.rule import Problem, Rule
from resource_server.domain.settings import Settings
from resource_server.tracing.opening import find_obstacle


def _find_no_traces(settings: Settings) -> Iterator[Problem]:
    obstacle = find_obstacle(settings)
    if obstacle:
        yield Problem(
            f"Traces are asked for and none will be sent: {obstacle}.",
            "Install requirements/tracing.txt, and leave OTEL_TRACES_EXPORTER and the protocol to their defaults; or "
            "remove the endpoint.",
        )


RULES = (Rule("W006", "traces are asked for and cannot be sent", _find_no_traces, in_development=True),)
