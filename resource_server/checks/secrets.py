"""Rules about keys and passwords."""

from collections.abc import Iterator

from resource_server.checks.rule import Problem, Rule
from resource_server.domain.settings import Settings

_MIN_KEY_LENGTH = 50
_EXAMPLE_PASSWORD = "inferencedevpwd"  # noqa: S105 - of .env.example
_SECRETS = ("GLOBUS_APPLICATION_SECRET", "SERVICE_ACCOUNT_SECRET", "PGPASSWORD", "GF_SECURITY_ADMIN_PASSWORD")
_MAKE_ONE = "Make one: python -c 'import secrets; print(secrets.token_urlsafe(50))'"


def _find_weak_key(settings: Settings) -> Iterator[Problem]:
    key = settings.text("SECRET_KEY")
    if len(key) < _MIN_KEY_LENGTH or key.startswith(("<", "django-insecure")):
        yield Problem(
            "SECRET_KEY is missing, short or an example: it signs sessions and relay tickets.",
            f"{_MAKE_ONE} or, for development, set DEBUG=True.",
        )
    elif len(set(key)) < 5:  # noqa: PLR2004 - a random key of this length has thirty or more
        yield Problem("SECRET_KEY repeats a few characters: it can be guessed.", f"{_MAKE_ONE}.")


def _find_weak_fallbacks(settings: Settings) -> Iterator[Problem]:
    for key in settings.items("SECRET_KEY_FALLBACKS"):
        if len(key) < _MIN_KEY_LENGTH or key == settings.text("SECRET_KEY"):
            yield Problem(
                "SECRET_KEY_FALLBACKS holds a key that is short, or SECRET_KEY itself: what it signs is believed.",
                "List former keys only, and remove them once what they signed has ended.",
            )


def _find_example_password(settings: Settings) -> Iterator[Problem]:
    if settings.text("PGPASSWORD") == _EXAMPLE_PASSWORD:
        yield Problem("PGPASSWORD is the example's.", "Give the database a password of its own.")


def _find_missing_password(settings: Settings) -> Iterator[Problem]:
    host = settings.text("PGHOST")
    if host and not host.startswith("/") and not settings.text("PGPASSWORD"):
        yield Problem(
            f"PGPASSWORD is not set, and PostgreSQL is reached over the network at {host!r}.",
            "Set PGPASSWORD (or POSTGRES_PASSWORD), or give PGHOST the folder of a local socket.",
        )


def _find_reused_secret(settings: Settings) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for name in ("SECRET_KEY", *_SECRETS):
        value = settings.text(name)
        if value and value in seen:
            yield Problem(f"{name} is the same as {seen[value]}.", f"Give {name} a value of its own.")
        seen.setdefault(value, name)


def _find_placeholders(settings: Settings) -> Iterator[Problem]:
    for name in _SECRETS:
        if settings.text(name).startswith("<"):
            yield Problem(f"{name} still holds the example's placeholder.", f"Put the real value into {name}.")


def _find_grafana_default(settings: Settings) -> Iterator[Problem]:
    if settings.text("GF_SECURITY_ADMIN_PASSWORD") in {"admin", "grafana", "password"}:
        yield Problem(
            "GF_SECURITY_ADMIN_PASSWORD is a password that everybody tries first.",
            "Give Grafana's administrator a password of its own.",
        )


RULES = (
    Rule("E003", "SECRET_KEY is missing, short, repetitive or an example", _find_weak_key),
    Rule("E007", "the database's password is the example's", _find_example_password),
    Rule("E008", "PostgreSQL is reached over the network without a password", _find_missing_password),
    Rule("E009", "one secret is used for two things", _find_reused_secret),
    Rule("E010", "a secret still holds the example's placeholder", _find_placeholders),
    Rule("E041", "a former key is short, or still in use", _find_weak_fallbacks),
    Rule("E011", "Grafana's administrator has a default password", _find_grafana_default),
)
