"""TCP ports on the loopback address."""

import errno
import http.client
import socket
import time
from http import HTTPStatus

from demo.errors import DemoError

HOST = "127.0.0.1"
ANSWER_TIMEOUT_S = 2.0


def pick_free_port() -> int:
    """A port that nobody listens on now; it could be taken before its user binds it, as ever."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def is_port_free(port: int) -> bool:
    """Whether a server could listen on `port`, as uvicorn binds it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as exc:
            if exc.errno == errno.EADDRINUSE:
                return False
            raise DemoError(f"Port {port} cannot be used: {exc.strerror}. Choose another by DEMO_PORT.") from exc
    return True


def wait_for_free_port(port: int, wait_s: float) -> None:
    """Wait until `port` is free: what a killed demo leaves behind needs a moment to end. Raises `DemoError`."""
    give_up_at = time.monotonic() + wait_s
    while not is_port_free(port):
        if time.monotonic() > give_up_at:
            raise DemoError(f"Port {port} is taken by another program. Try: DEMO_PORT={pick_free_port()} make demo")
        time.sleep(0.2)


def is_answering(port: int, path: str) -> bool:
    """Whether a GET of `path` is answered 200 now."""
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
