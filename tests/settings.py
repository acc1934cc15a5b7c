"""The gateway's settings for tests: every key at its default whatever the machine or a ``.env`` says, PostgreSQL.

The processes that tests start inherit these variables. Where the servers are, `tests.conftest` fills in.
"""

import os

from inference_gateway.environment import KEYS
from tests.servers.postgres import find_configured

CONFIGURED_POSTGRES = find_configured(os.environ)
"""The server that whoever runs the tests names; seen by the process that starts the workers."""

for key in KEYS:
    os.environ.update(dict.fromkeys(key.older, ""))
for key in KEYS:
    os.environ[key.name] = key.default or ""

os.environ["SECRET_KEY"] = "tests-only: no deployment signs anything with these fifty characters"
os.environ["PGHOST"] = "127.0.0.1"

from inference_gateway.settings import *  # noqa: E402, F403 - it reads the environment when imported
from inference_gateway.settings import DATABASES  # noqa: E402 - for the type checker: a star tells it nothing

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # made to be fast, for tests alone

# Two seconds are the product's bound; a test machine that is busy compiling may need longer for a migration.
DATABASES["default"]["OPTIONS"]["options"] = "-c statement_timeout=20000"
