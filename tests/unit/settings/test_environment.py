"""Environment keys: older names, checks that name the key, and what production refuses."""

import pytest

from inference_gateway.environment import Environment, EnvironmentInvalid
from resource_server.checks import find_problems

KEY = "k" * 60
GROUP = "44444444-0000-4000-8000-00000000000a"
PRODUCTION = {
    "SECRET_KEY": KEY,
    "GLOBUS_APPLICATION_ID": "a",
    "GLOBUS_APPLICATION_SECRET": "b",
    "SERVICE_ACCOUNT_ID": "c",
    "SERVICE_ACCOUNT_SECRET": "d",
    "PGHOST": "db",
    "REDIS_URL": "redis://redis:6379/0",
}


def test_older_names_are_read_and_newer_ones_win() -> None:
    assert Environment({"POLARIS_ENDPOINT_ID": "old"}).text("SERVICE_ACCOUNT_ID") == "old"
    both = {"POLARIS_ENDPOINT_ID": "old", "SERVICE_ACCOUNT_ID": "new"}
    assert Environment(both).text("SERVICE_ACCOUNT_ID") == "new"


@pytest.mark.parametrize("text", [f"{GROUP} {GROUP}", f"{GROUP},{GROUP}", f" {GROUP}; {GROUP} "])
def test_lists_of_uuids_tolerate_separators(text: str) -> None:
    assert Environment({"GLOBUS_GROUPS": text}).items("GLOBUS_GROUPS") == (GROUP, GROUP)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEBUG", "maybe"),
        ("PGPORT", "0"),
        ("GLOBUS_GROUPS", "not-a-uuid"),
        ("AUTHORIZED_IDPS", "{"),
        ("AUTHORIZED_IDPS", '{"x": 1}'),
        ("INTROSPECTION_CACHE_S", "-1"),
        ("INTROSPECTION_CACHE_S", "inf"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_value_that_cannot_be_used_names_its_key(name: str, value: str) -> None:
    with pytest.raises(EnvironmentInvalid, match=name):
        Environment({name: value})


def test_production_configuration_passes() -> None:
    assert find_problems(Environment(PRODUCTION)) == []


@pytest.mark.parametrize(
    ("change", "identifier"),
    [
        ({"SECRET_KEY": ""}, "gateway.E003"),
        ({"SECRET_KEY": "short"}, "gateway.E003"),
        ({"ALLOWED_HOSTS": "*"}, "gateway.E004"),
        ({"GLOBUS_APPLICATION_SECRET": ""}, "gateway.E005"),
        ({"GLOBUS_APPLICATION_ID": "<Your-UUID>"}, "gateway.E005"),
        ({"GLOBUS_SDK_SERVICE_URL_AUTH": "http://127.0.0.1:1"}, "gateway.E006"),
        ({"GLOBUS_COMPUTE_SERVICE_URL": "http://localhost:1"}, "gateway.E006"),
        ({"GLOBUS_COMPUTE_SERVICE_URL": "http://127.1.2.3:1"}, "gateway.E006"),
        ({"GLOBUS_COMPUTE_SERVICE_URL": "http://[::ffff:127.0.0.1]:1"}, "gateway.E006"),
        ({"GLOBUS_COMPUTE_SERVICE_URL": "http://0.0.0.0:1"}, "gateway.E006"),
        ({"SERVICE_ACCOUNT_ID": ""}, "gateway.W001"),
        ({"SERVICE_ACCOUNT_ID": "<Your-UUID>"}, "gateway.W001"),
        ({"PGHOST": ""}, "gateway.E001"),
        ({"REDIS_URL": ""}, "gateway.E002"),
        ({"WEB_CONCURRENCY": "2", "PGHOST": ""}, "gateway.E001"),
        ({"WEB_CONCURRENCY": "2", "REDIS_URL": "", "DEBUG": "True"}, "gateway.E002"),
        ({"PGPASSWORD": "inferencedevpwd"}, "gateway.E007"),
    ],
)
def test_dangerous_configuration_is_refused_with_a_fix(change: dict[str, str], identifier: str) -> None:
    problems = {str(problem.id): problem for problem in find_problems(Environment({**PRODUCTION, **change}))}
    assert identifier in problems
    assert problems[identifier].hint


def test_development_may_be_loose_but_not_about_sharing() -> None:
    assert find_problems(Environment({"DEBUG": "True"})) == []
    assert find_problems(Environment({"DEBUG": "True", "WEB_CONCURRENCY": "2"}))
