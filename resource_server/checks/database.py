"""Rules about PostgreSQL, Redis and who shares them."""

from collections.abc import Iterator

from resource_server.checks.rule import Problem, Rule, host_of, is_filled, is_loopback, scheme_of
from resource_server.domain.settings import Settings

_MAX_PORT = 65535
_COMPOSE_HOST = "postgres"
_PAIRS = (("PGUSER", "POSTGRES_USER"), ("PGPASSWORD", "POSTGRES_PASSWORD"), ("PGDATABASE", "POSTGRES_DB"))


def _find_unshared(key: str, settings: Settings) -> Iterator[Problem]:
    if settings.number("WEB_CONCURRENCY") > 1:
        reason, way_out = "the processes would not see each other's state", "WEB_CONCURRENCY=1"
    elif not settings.flag("DEBUG"):
        reason, way_out = "what one process keeps is no basis for production", "DEBUG=True for development"
    else:
        return
    if not settings.text(key):
        yield Problem(f"{key} is not set: {reason}.", f"Set {key}, or {way_out}.")


def _find_no_database(settings: Settings) -> Iterator[Problem]:
    yield from _find_unshared("PGHOST", settings)


def _find_no_redis(settings: Settings) -> Iterator[Problem]:
    yield from _find_unshared("REDIS_URL", settings)


def _find_bad_port(settings: Settings) -> Iterator[Problem]:
    if settings.number("PGPORT") > _MAX_PORT:
        yield Problem("PGPORT is no port.", f"Write a number from 1 to {_MAX_PORT}; PostgreSQL's own is 5432.")


def _find_bad_host(settings: Settings) -> Iterator[Problem]:
    host = settings.text("PGHOST")
    if host and (not is_filled(host) or scheme_of(host) or any(sign in host for sign in " @,")):
        yield Problem(
            "PGHOST is not one host's name.",
            "Write the name or address alone, such as localhost or postgres; user, port and database have keys of"
            " their own.",
        )


def _find_disagreement(settings: Settings) -> Iterator[Problem]:
    if settings.text("PGHOST") != _COMPOSE_HOST:
        return
    for ours, container in _PAIRS:
        if settings.text(container) and settings.text(ours) != settings.text(container):
            yield Problem(
                f"{ours} differs from {container}, with which the container of PostgreSQL is made.",
                f"Remove {ours}, or give both the same value.",
            )


def _find_bad_redis(settings: Settings) -> Iterator[Problem]:
    url = settings.text("REDIS_URL")
    if url and (scheme_of(url) not in {"redis", "rediss"} or not host_of(url)):
        yield Problem(
            "REDIS_URL is not the address of a Redis server.",
            "Write redis://host:6379/0 or, encrypted, rediss://:password@host:6379/0.",
        )


def _find_lonely_controller(settings: Settings) -> Iterator[Problem]:
    if not settings.flag("CONTROLLER_EMBEDDED") and not settings.text("REDIS_URL"):
        yield Problem(
            "CONTROLLER_EMBEDDED is False, and without REDIS_URL no other process can tell this one what clusters say.",
            "Set REDIS_URL, or CONTROLLER_EMBEDDED=True.",
        )


def _find_superuser(settings: Settings) -> Iterator[Problem]:
    if settings.text("PGHOST") and settings.text("PGUSER") == "postgres":
        yield Problem(
            "PGUSER is postgres, the superuser of the whole server.",
            "Make a user that owns the gateway's database only (operator guide).",
        )


def _find_open_redis(settings: Settings) -> Iterator[Problem]:
    url = settings.text("REDIS_URL")
    host = host_of(url)
    if scheme_of(url) == "redis" and "@" not in url and "." in host and not is_loopback(host):
        yield Problem(
            f"REDIS_URL reaches {host} without a password and in the clear.",
            "Use rediss://:password@host, or keep Redis on this machine or in the containers' own network.",
        )


RULES = (
    Rule("E001", "no PostgreSQL for production or several processes", _find_no_database, in_development=True),
    Rule("E002", "no Redis for production or several processes", _find_no_redis, in_development=True),
    Rule("E012", "PGPORT is no port", _find_bad_port, in_development=True),
    Rule("E013", "PGHOST is not one host's name", _find_bad_host, in_development=True),
    Rule("E014", "PG* and POSTGRES_* disagree about compose's database", _find_disagreement, in_development=True),
    Rule("E015", "REDIS_URL is not the address of a Redis server", _find_bad_redis, in_development=True),
    Rule("E016", "a controller of its own that nobody hears", _find_lonely_controller, in_development=True),
    Rule("W002", "the gateway is the superuser of the database server", _find_superuser),
    Rule("W003", "Redis elsewhere without password or encryption", _find_open_redis),
)
