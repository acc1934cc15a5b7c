"""What the demo's children see of the user's environment: enough to run, nothing that would change the demo."""

import os
from collections.abc import Mapping

from demo import layout

FOREIGN_PREFIXES = ("GLOBUS_", "DJANGO_", "POLARIS_", "INFERENCE_SERVER_")
LOOPBACK_HOSTS = "127.0.0.1,localhost"


def build_environ(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child: the user's, without foreign settings and with a home of the demo's own.

    A home may be missing where the demo runs, and SDKs keep files there; a proxy must not see loopback calls.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN_PREFIXES)}
    own = {
        "HOME": str(layout.HOME),
        "GLOBUS_COMPUTE_USER_DIR": str(layout.HOME / ".globus_compute"),
        "NO_PROXY": LOOPBACK_HOSTS,
        "no_proxy": LOOPBACK_HOSTS,
        "PYTHONUNBUFFERED": "1",
    }
    return {**kept, **own, **settings}
