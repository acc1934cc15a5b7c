"""Environment keys: older names, checks that name the key."""

import pytest

from inference_gateway.environment import Environment, EnvironmentInvalid

GROUP = "44444444-0000-4000-8000-00000000000a"


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
        ("METRICS_ALLOWED_ADDRESSES", "prometheus"),
        ("METRICS_ALLOWED_ADDRESSES", "10.0.0.1/8"),
    ],
)
def test_value_that_cannot_be_used_names_its_key(name: str, value: str) -> None:
    with pytest.raises(EnvironmentInvalid, match=name):
        Environment({name: value})
