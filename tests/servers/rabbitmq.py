"""A RabbitMQ of the tests' own, from Debian's rabbitmq-server package. There is none in a wheel: see the marker."""

import os
import pwd
import shutil
from pathlib import Path

from tests.servers.process import Process, Server, find_free_port, is_listening

# The package's own command changes the user and the folder; this is what it starts in the end.
PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


class RabbitMQServer(Server):
    """A server in `folder`, listening on a free port of 127.0.0.1.

    Durable queues outlive `stop`; after `kill` one that was declared a moment before may be gone.

    Where the run is root's, it runs as the package's user, who must be able to enter `folder`: see `public_folder`.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._port, self._distribution_port, self._names_port = (find_free_port() for _ in range(3))
        self._user = pwd.getpwnam("rabbitmq") if os.geteuid() == 0 else None
        self._names: Process | None = None
        folder.mkdir(parents=True, exist_ok=True)
        if self._user:
            os.chown(folder, self._user.pw_uid, self._user.pw_gid)

    @property
    def url(self) -> str:
        """The AMQP address, the same for every start."""
        return f"amqp://guest:guest@127.0.0.1:{self._port}/%2F"

    def __exit__(self, *exc_info: object) -> None:
        super().__exit__(*exc_info)
        if self._names:
            self._names.stop()

    def _spawn(self) -> Process:
        if self._names is None:
            # Else RabbitMQ starts one itself, on all addresses, which stays when it goes.
            self._names = self._run("epmd", shutil.which("epmd") or "epmd", "-port", str(self._names_port))
            self._names.wait_until(lambda: is_listening(self._names_port))
        process = self._run("rabbitmq", PROGRAM)
        process.wait_until(lambda: is_listening(self._port), timeout_s=60)
        return process

    def _run(self, name: str, *command: str | Path) -> Process:
        return Process(command, self._folder / f"{name}.log", env=self._environment(), user=self._user)

    def _environment(self) -> dict[str, str]:
        folder = str(self._folder)
        return {
            "PATH": os.environ.get("PATH", ""),
            "HOME": folder,
            "ERL_EPMD_PORT": str(self._names_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"tests-{self._port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_MNESIA_BASE": folder,
            "RABBITMQ_LOG_BASE": folder,
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/enabled_plugins",
            "RABBITMQ_FEATURE_FLAGS_FILE": f"{folder}/feature_flags",
            "RUNNING_UNDER_SYSTEMD": "1",  # the server takes the place of its start script: one process to signal
        }
