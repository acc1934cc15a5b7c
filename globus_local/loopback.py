"""The stand-in serves this machine only: it signs anybody in without a password."""

import ipaddress
import socket

from aiohttp import web

LOCAL_NAMES = frozenset({"localhost", "ip6-localhost"})


class NotLoopbackError(ValueError):
    """An address that other machines could reach."""


def check_loopback(host: str) -> None:
    """Allow loopback addresses and `localhost` only.

    Raises:
        NotLoopbackError: with a message for whoever started the server.
    """
    if not is_loopback(host):
        raise NotLoopbackError(
            f"globus_local listens on loopback addresses only (127.0.0.1, ::1, localhost), not on {host!r}: "
            "it hands out tokens to whoever asks, so no other machine may reach it."
        )


def is_loopback(host: str) -> bool:
    """Whether the host name or address means this machine, without asking DNS."""
    if host.lower() in LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_host_header(request: web.Request) -> None:
    """Refuse calls that came under a foreign name: a web page may have pointed its own name here (DNS rebinding).

    Raises:
        HTTPException: 421.
    """
    if not is_loopback(request.url.host or ""):
        raise web.HTTPMisdirectedRequest(text="globus_local answers under loopback names only.\n")


def bind(host: str, port: int) -> socket.socket:
    """A bound TCP socket; port 0 picks a free one.

    Raises:
        NotLoopbackError: the address is not a loopback address.
        OSError: the port is taken.
    """
    check_loopback(host)
    family, kind, proto, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
    sock = socket.socket(family, kind, proto)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock
