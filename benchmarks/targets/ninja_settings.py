"""Django's settings of the two Ninja views: no database, no middleware, no applications."""

import os

SECRET_KEY = "benchmarks-only"  # noqa: S105 - signs nothing
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = os.environ["VIEW"]  # each view's module holds its own routes
USE_TZ = True
DATA_UPLOAD_MAX_MEMORY_SIZE = None
