"""gunicorn's settings for the gateway; gunicorn reads this file by itself where it is started in this folder.

What the command line says beats it. It may be given by name elsewhere: ``gunicorn -c /path/to/gunicorn.conf.py``.
"""

import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import inference_gateway.worker as own
from inference_gateway.environment import load_environment
from inference_gateway.logs import build_server_logging

_environment = load_environment()

# ``-k uvicorn.workers.UvicornWorker`` is documented, and given up by uvicorn: the name leads here (docs/adr/0046).
sys.modules["uvicorn.workers"] = own
worker_class = "inference_gateway.worker.UvicornWorker"
workers = int(_environment.number("WEB_CONCURRENCY"))

# A worker that says nothing for so long hangs, and is killed; one that drains, or answers slowly, says that it lives.
timeout = 60
# The drain, then the spool, then connections: a worker that takes longer is killed.
graceful_timeout = int(_environment.number("DRAIN_S")) + 30
# Longer than nginx keeps a connection to us, so that it is never closed just as a request is on its way.
keepalive = 75

logconfig_dict = build_server_logging(_environment)
control_socket_disable = True  # signals are enough
if Path("/dev/shm").is_dir():  # noqa: S108 - gunicorn's own file, without a name: a slow disk is no hanging worker
    worker_tmp_dir = "/dev/shm"  # noqa: S108


def on_reload(server: Any) -> None:  # noqa: ARG001 - gunicorn's signature
    """Before the new workers are forked, and the old ones told to stop."""
    own.note_reload()


def post_fork(server: Any, worker: Any) -> None:  # noqa: ARG001 - gunicorn's signature
    """In a new worker, before it loads the gateway: it shares its rates with so many, whatever ``--workers`` said."""
    os.environ["WEB_CONCURRENCY"] = str(server.num_workers)
