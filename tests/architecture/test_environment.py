"""The environment's table, ``.env.example`` and the documented set-up name the same keys."""

import re
from pathlib import Path

import pytest
from dotenv import dotenv_values

from inference_gateway.environment import KEYS, Environment

EXAMPLE = Path(__file__).parents[2] / ".env.example"
NAMES = {name for key in KEYS for name in (key.name, *key.older)}

# The keys of the documented .env, which deployments in the field have.
DOCUMENTED = """
    SECRET_KEY DEBUG ALLOWED_HOSTS GLOBUS_APPLICATION_ID GLOBUS_APPLICATION_SECRET GLOBUS_GROUPS AUTHORIZED_IDPS
    GLOBUS_POLICIES POLARIS_ENDPOINT_ID POLARIS_ENDPOINT_SECRET CLI_AUTH_CLIENT_ID CLI_ALLOWED_DOMAINS CLI_TOKEN_DIR
    CLI_APP_NAME POSTGRES_DB POSTGRES_USER POSTGRES_PASSWORD PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE REDIS_URL
    MAX_BATCHES_PER_USER GF_SECURITY_ADMIN_USER GF_SECURITY_ADMIN_PASSWORD
"""


@pytest.mark.parametrize("name", DOCUMENTED.split())
def test_documented_key_is_known(name: str) -> None:
    assert name in NAMES


def test_example_names_every_key_and_no_other() -> None:
    assert set(re.findall(r"^(?:# )?([A-Z_]+)=", EXAMPLE.read_text(), re.MULTILINE)) == NAMES


def test_example_loads_as_it_is() -> None:
    values = {name: value for name, value in dotenv_values(EXAMPLE).items() if value is not None}
    environment = Environment(values)
    assert environment.flag("DEBUG") is True
    assert environment.text("SERVICE_ACCOUNT_ID") == values["POLARIS_ENDPOINT_ID"]
    assert environment.text("PGUSER") == values["POSTGRES_USER"]


def test_defaults_load() -> None:
    assert Environment({}).number("PGPORT") == 5432


def test_keys_are_described_once() -> None:
    assert len({key.name for key in KEYS}) == len(KEYS)
    assert all(key.meaning.endswith(".") and key.reader for key in KEYS)
