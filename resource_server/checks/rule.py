"""One rule about the settings, and what the rules share."""

import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from resource_server.domain.settings import Settings


class Problem(NamedTuple):
    """What is wrong, naming the key and never a secret, and what to change."""

    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule with its stable id.

    Attributes:
        id: `E` and a number refuses to start; `W` and a number warns.
        title: what the rule is about, for ``docs/checks.md``.
        find: the problems with these settings.
        in_development: whether it holds with DEBUG=True as well.
    """

    id: str
    title: str
    find: Callable[[Settings], Iterator[Problem]]
    in_development: bool = False

    @property
    def refuses(self) -> bool:
        """Whether a server with such a problem does not start."""
        return self.id.startswith("E")


def is_filled(value: str) -> bool:
    """Whether the operator has put a value in: examples hold ``<...>``."""
    return bool(value) and not value.startswith("<")


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


def host_of(url: str) -> str:
    """The host in `url`; empty where there is none, or the URL is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def scheme_of(url: str) -> str:
    """The scheme of `url`, in small letters."""
    return url.partition("://")[0].lower() if "://" in url else ""
