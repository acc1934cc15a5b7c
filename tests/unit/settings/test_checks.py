"""What production refuses, what development does, and that each of it says what to change."""

import pytest

from inference_gateway.environment import Environment
from resource_server.checks.rules import RULES, find_problems
from tests.unsafe_settings import SAFE, UNSAFE

WARNED = (
    ({"SERVICE_ACCOUNT_ID": "", "SERVICE_ACCOUNT_SECRET": ""}, "gateway.W001"),
    ({"SERVICE_ACCOUNT_ID": "<Your-UUID>"}, "gateway.W001"),
    ({"PGUSER": "postgres"}, "gateway.W002"),
    ({"REDIS_URL": "redis://redis.example.org:6379/0"}, "gateway.W003"),
    ({"AUTHORIZED_IDPS": ""}, "gateway.W004"),
    ({"ALLOWED_HOSTS": "localhost,127.0.0.1"}, "gateway.W005"),
    ({"OTEL_TRACES_EXPORTER": "zipkin"}, "gateway.W006"),
)
TABLE = [row for row in (*UNSAFE, *WARNED) if row[1].startswith("gateway.")]


def test_production_configuration_passes() -> None:
    assert find_problems(Environment(SAFE)) == []


@pytest.mark.parametrize(("change", "identifier"), TABLE)
def test_dangerous_configuration_is_refused_with_a_fix(change: dict[str, str], identifier: str) -> None:
    problems = {str(problem.id): problem for problem in find_problems(Environment({**SAFE, **change}))}
    assert identifier in problems
    assert problems[identifier].is_serious() is identifier.startswith("gateway.E")
    assert problems[identifier].hint
    for name, value in change.items():
        if name.endswith(("SECRET", "PASSWORD")) and value:
            assert value not in problems[identifier].msg


def test_every_rule_has_a_row() -> None:
    assert {f"gateway.{rule.id}" for rule in RULES} == {identifier for _, identifier in TABLE}


def test_ids_are_given_once() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_development_may_be_loose_but_not_about_sharing() -> None:
    assert find_problems(Environment({"DEBUG": "True"})) == []
    assert find_problems(Environment({"DEBUG": "True", "WEB_CONCURRENCY": "2"}))


@pytest.mark.parametrize("host", ["postgres", "/var/run/postgresql", "::1", "db-1.example.org"])
def test_usual_hosts_of_databases_pass(host: str) -> None:
    assert find_problems(Environment({**SAFE, "PGHOST": host})) == []
