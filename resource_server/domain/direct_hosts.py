"""Which hosts of a status report the gateway may connect to: those that the target's row lists, and no others.

A report comes from a cluster and is untrusted: a host name that it gives selects nothing unless the operator's own
patterns match the whole of it.
"""

import re
from collections.abc import Iterable

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_PATTERN = re.compile(r"[a-z0-9.-]*\*?[a-z0-9.-]*")
_WILD = re.compile(r"[a-z0-9-]+")
MAX_HOST = 253


def parse_pattern(value: str) -> str:
    """A host name, or one with a single ``*`` that stands for part of one label. Raises `ValueError`."""
    pattern = value.strip().lower()
    name = pattern.replace("*", "x", 1)
    if len(pattern) > MAX_HOST or not _PATTERN.fullmatch(pattern) or not _HOST.fullmatch(name):
        raise ValueError("use host names such as node17.example.org, or x3*.example.org with a single '*' in a label")
    if "*" in pattern and _is_address(name.replace("x", "1")):
        raise ValueError("list IP addresses one by one, without '*'")
    if pattern.strip("*.") == "" or ("*" in pattern and "." not in pattern.partition("*")[2]):
        raise ValueError("a '*' needs a domain behind it, as in *.example.org: otherwise every host would match")
    return pattern


def find_allowed(name: str, patterns: Iterable[str]) -> str | None:
    """The host in lower case if a pattern matches all of it, else `None`. Addresses match only if listed as such."""
    host = name.lower()
    if len(host) > MAX_HOST or not _HOST.fullmatch(host):
        return None
    is_address = _is_address(host)
    return host if any(_matches(host, pattern, is_address=is_address) for pattern in patterns) else None


def _matches(host: str, pattern: str, *, is_address: bool) -> bool:
    if host == pattern:
        return True
    head, star, tail = pattern.partition("*")
    if not star or is_address or len(host) <= len(head) + len(tail):
        return False
    middle = host[len(head) : len(host) - len(tail)]
    return host.startswith(head) and host.endswith(tail) and _WILD.fullmatch(middle) is not None


def _is_address(host: str) -> bool:
    """Whether a resolver could take it for an IPv4 address, in any of the forms it knows; IPv6 is no host name here."""
    return re.fullmatch(r"(?:0x[0-9a-f]*|[0-9]+)", host.rpartition(".")[2]) is not None
