"""From the text of an environment variable to its value. Each raises `ValueError` that says what would do."""

import ipaddress
import json
import re
import uuid

_SEPARATORS = re.compile(r"[\s,;]+")


def parse_bool(text: str) -> bool:
    """True, yes, on, 1 or False, no, off, 0, in any case; empty is False."""
    word = text.lower()
    if word in {"true", "yes", "on", "1"}:
        return True
    if word in {"false", "no", "off", "0", ""}:
        return False
    raise ValueError("write True or False")


def parse_count(text: str) -> int:
    """A whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise ValueError("write a whole number from 1")
    return int(text)


def parse_seconds(text: str) -> float:
    """Seconds, 0 or more."""
    try:
        seconds = float(text)
    except ValueError as exc:
        raise ValueError("write seconds as a number") from exc
    if not 0 <= seconds < float("inf"):
        raise ValueError("write seconds from 0")
    return seconds


def parse_level(text: str) -> str:
    """The name of a logging level, in any case."""
    if text.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise ValueError("write DEBUG, INFO, WARNING or ERROR")
    return text.upper()


def parse_log_format(text: str) -> str:
    """How log records are written."""
    if text.lower() not in {"line", "json"}:
        raise ValueError("write line or json")
    return text.lower()


def parse_list(text: str) -> tuple[str, ...]:
    """Items between commas, semicolons or spaces."""
    return tuple(item for item in _SEPARATORS.split(text) if item)


def parse_networks(text: str) -> tuple[str, ...]:
    """Addresses and networks between commas, semicolons or spaces."""
    items = parse_list(text)
    try:
        for item in items:
            ipaddress.ip_network(item)
    except ValueError as exc:
        raise ValueError("write addresses or networks such as 10.1.2.3 or 172.16.0.0/12") from exc
    return items


def parse_uuids(text: str) -> tuple[str, ...]:
    """UUIDs between spaces (commas and semicolons are tolerated), in their canonical form."""
    try:
        return tuple(str(uuid.UUID(item)) for item in parse_list(text))
    except ValueError as exc:
        raise ValueError("write UUIDs separated by spaces") from exc


def parse_providers(text: str) -> dict[str, str]:
    """A JSON object of name to UUID; empty text allows every provider."""
    if not text:
        return {}
    document = json.loads(text)
    if not isinstance(document, dict) or not all(isinstance(value, str) for value in document.values()):
        raise ValueError('write a JSON object such as {"Your Institution": "<uuid>"}')
    try:
        return {name: str(uuid.UUID(value)) for name, value in document.items()}
    except ValueError as exc:
        raise ValueError("each provider's value is a UUID") from exc
