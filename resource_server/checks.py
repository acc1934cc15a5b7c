"""What the configuration must hold before the gateway serves: system checks with stable ids and a fix each.

Development (DEBUG=True) may be loose; production may not.
"""

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution

from resource_server.domain.settings import Settings

_MIN_KEY_LENGTH = 50
_EXAMPLE_PASSWORD = "inferencedevpwd"  # noqa: S105 - of .env.example


def check_settings(**_kwargs: Any) -> list[CheckMessage]:
    """All rules, on the settings in force."""
    return find_problems(django_settings.ENVIRONMENT)


def find_problems(settings: Settings) -> list[CheckMessage]:
    """All rules, on these settings."""
    problems = _find_sharing_problems(settings)
    if not settings.flag("DEBUG"):
        problems += [*_find_secret_problems(settings), *_find_globus_problems(settings)]
    return problems


def _find_sharing_problems(settings: Settings) -> list[CheckMessage]:
    if settings.number("WEB_CONCURRENCY") > 1:
        reason, way_out = "the processes would not see each other's state", "WEB_CONCURRENCY=1"
    elif not settings.flag("DEBUG"):
        reason, way_out = "what one process keeps is no basis for production", "DEBUG=True for development"
    else:
        return []
    return [
        Error(f"{key} is not set: {reason}.", hint=f"Set {key}, or {way_out}.", id=f"gateway.E00{number}")
        for number, key in ((1, "PGHOST"), (2, "REDIS_URL"))
        if not settings.text(key)
    ]


def _find_secret_problems(settings: Settings) -> list[CheckMessage]:
    problems: list[CheckMessage] = []
    key = settings.text("SECRET_KEY")
    if len(key) < _MIN_KEY_LENGTH or key.startswith(("<", "django-insecure")):
        problems.append(
            Error(
                "SECRET_KEY is missing, short or an example: it signs sessions and relay tickets.",
                hint="Make one: python -c 'import secrets; print(secrets.token_urlsafe(50))'"
                " or, for development, set DEBUG=True.",
                id="gateway.E003",
            )
        )
    if "*" in settings.items("ALLOWED_HOSTS"):
        problems.append(
            Error("ALLOWED_HOSTS holds '*'.", hint="Name the hosts that the gateway answers to.", id="gateway.E004")
        )
    if settings.text("PGPASSWORD") == _EXAMPLE_PASSWORD:
        problems.append(
            Error("PGPASSWORD is the example's.", hint="Give the database a password of its own.", id="gateway.E007")
        )
    return problems


def _find_globus_problems(settings: Settings) -> list[CheckMessage]:
    problems: list[CheckMessage] = [
        Error(
            f"{name} has no value: no token can be verified.",
            hint="Register a service API application with Globus (README) and put its values into .env.",
            id="gateway.E005",
        )
        for name in ("GLOBUS_APPLICATION_ID", "GLOBUS_APPLICATION_SECRET")
        if not _is_filled(settings.text(name))
    ]
    problems += [
        Error(f"{name} points to this machine.", hint="Remove it in production.", id="gateway.E006")
        for name in ("GLOBUS_COMPUTE_SERVICE_URL", "GLOBUS_SDK_SERVICE_URL_AUTH", "GLOBUS_SDK_SERVICE_URL_GROUPS")
        if _is_loopback(settings.text(name))
    ]
    if not _is_filled(settings.text("SERVICE_ACCOUNT_ID")):
        problems.append(
            Caution(
                "SERVICE_ACCOUNT_ID is not set: targets behind Globus Compute cannot be used.",
                hint="Set SERVICE_ACCOUNT_ID and SERVICE_ACCOUNT_SECRET (or POLARIS_ENDPOINT_ID and _SECRET).",
                id="gateway.W001",
            )
        )
    return problems


def _is_filled(value: str) -> bool:
    return bool(value) and not value.startswith("<")


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified
