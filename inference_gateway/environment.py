"""The environment, read once: every key the gateway knows, its default, its check and its meaning.

A real environment variable beats ``.env``. ``docs/settings.md`` is generated from `KEYS`, and ``.env.example`` is
tested against it.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from inference_gateway.parsers import (
    parse_bool,
    parse_count,
    parse_level,
    parse_list,
    parse_log_format,
    parse_networks,
    parse_providers,
    parse_seconds,
    parse_uuids,
)

BASE_DIR = Path(__file__).resolve().parent.parent


class EnvironmentInvalid(ValueError):
    """A key's value that cannot be used; the text names the key and the fix."""


@dataclass(frozen=True, slots=True)
class Key:
    """One environment variable.

    Attributes:
        name: as written in ``.env``.
        meaning: one sentence for the operator.
        default: as it would be written; None where the key has no value unless set.
        parse: text to value; raises `ValueError`.
        older: names that are read as well where `name` is not set.
        reader: who reads it: the gateway, a script, a container, or a feature to come.
        secret: never printed.
    """

    name: str
    meaning: str
    default: str | None = None
    parse: Callable[[str], object] = str
    older: tuple[str, ...] = ()
    reader: str = "gateway"
    secret: bool = False


_SDK = "globus-sdk"
_OTEL = "opentelemetry"

KEYS: tuple[Key, ...] = (
    Key(
        "SECRET_KEY",
        "Signs sessions, relay tickets and cache entries; random, at least 50 characters.",
        None,
        secret=True,
    ),
    Key(
        "SECRET_KEY_FALLBACKS",
        "Comma-separated former values of SECRET_KEY, whose sessions and relay tickets are still taken.",
        "",
        parse_list,
        secret=True,
    ),
    Key("DEBUG", "True for development only: tracebacks in admin pages, relaxed checks.", "False", parse_bool),
    Key("ALLOWED_HOSTS", "Comma-separated host names that the gateway answers to.", "localhost,127.0.0.1", parse_list),
    Key("CSRF_TRUSTED_ORIGINS", "Comma-separated origins (https://...) of the admin pages.", "", parse_list),
    Key("GLOBUS_APPLICATION_ID", "Client UUID of the Globus service API application.", ""),
    Key("GLOBUS_APPLICATION_SECRET", "Client secret of the Globus service API application.", "", secret=True),
    Key("GLOBUS_GROUPS", "Globus group UUIDs, one of which every caller must be in.", "", parse_uuids),
    Key("ADMIN_GROUPS", "Globus group UUIDs whose members may do everything in the admin pages.", "", parse_uuids),
    Key("OPERATOR_GROUPS", "Globus group UUIDs whose members may change the catalogue.", "", parse_uuids),
    Key("GLOBUS_POLICIES", "Globus policy UUIDs, all of which every session must satisfy.", "", parse_uuids),
    Key(
        "AUTHORIZED_IDPS",
        'JSON object of name to identity provider UUID; "" allows every provider.',
        "",
        parse_providers,
    ),
    Key("AUTHORIZED_CLIENTS", "Globus client UUIDs that pass AUTHORIZED_IDPS without a session.", "", parse_uuids),
    Key(
        "SERVICE_ACCOUNT_ID",
        "Client UUID of the service account that owns functions and compute endpoints.",
        "",
        older=("POLARIS_ENDPOINT_ID",),
    ),
    Key(
        "SERVICE_ACCOUNT_SECRET", "Secret of the service account.", "", older=("POLARIS_ENDPOINT_SECRET",), secret=True
    ),
    Key("GLOBUS_COMPUTE_SERVICE_URL", "Address of the Globus Compute web service, where it is not the public one.", ""),
    Key(
        "GLOBUS_COMPUTE_INTERVAL_S",
        "Seconds between calls to Globus Compute: 0.5 keeps the cloud's 20 per 10 s.",
        "0.5",
        parse_seconds,
    ),
    Key("GLOBUS_SDK_ENVIRONMENT", "Name of another Globus cloud, such as a local stand-in.", None, reader=_SDK),
    Key("GLOBUS_SDK_SERVICE_URL_AUTH", "Address of Globus Auth, where it is not the public one.", None, reader=_SDK),
    Key(
        "GLOBUS_SDK_SERVICE_URL_GROUPS", "Address of Globus Groups, where it is not the public one.", None, reader=_SDK
    ),
    Key("PGHOST", 'PostgreSQL\'s host; "" uses an SQLite file in GATEWAY_DATA_DIR (one process only).', ""),
    Key("PGPORT", "PostgreSQL's port.", "5432", parse_count),
    Key("PGUSER", "PostgreSQL's user.", "inferencedev", older=("POSTGRES_USER",)),
    Key("PGPASSWORD", "PostgreSQL's password.", "", older=("POSTGRES_PASSWORD",), secret=True),
    Key("PGDATABASE", "PostgreSQL's database.", "inferencegateway", older=("POSTGRES_DB",)),
    Key("REDIS_URL", 'Redis shared by the workers; "" keeps state in the process (one process only).', ""),
    Key("GATEWAY_DATA_DIR", "Folder for the accounting spool and, without PGHOST, the SQLite file.", "var"),
    Key(
        "WEB_CONCURRENCY",
        "Number of gateway processes: gunicorn starts as many, unless --workers says otherwise.",
        "1",
        parse_count,
    ),
    Key(
        "RELAY_BASE_URL",
        'Address of /resource_server/relay as compute nodes reach it; "" answers without streaming from compute nodes.',
        "",
    ),
    Key("MAX_BODY_BYTES", "Largest request body; a target may allow less.", str(9 * 1024 * 1024), parse_count),
    Key(
        "CONTROLLER_EMBEDDED",
        "Whether gateway processes ask clusters for their state; False leaves it to manage.py run_controller.",
        "True",
        parse_bool,
    ),
    Key(
        "STATUS_INTERVAL_S",
        "Seconds between questions to one cluster's status function, where few clusters are asked.",
        "60",
        parse_seconds,
    ),
    Key(
        "TRY_OFFLINE_TARGETS",
        "Whether targets that are offline or in maintenance are tried where nothing else is left.",
        "False",
        parse_bool,
    ),
    Key(
        "HOLD_MAX_S",
        "Seconds for which a request may be held for a model that is not hot.",
        "1800",
        parse_seconds,
    ),
    Key(
        "INTROSPECTION_CACHE_S", "Seconds for which an introspected token is trusted, at most 30.", "30", parse_seconds
    ),
    Key("GROUPS_CACHE_S", "Seconds for which group memberships are trusted, at most 60.", "60", parse_seconds),
    Key(
        "AUTH_OUTAGE_GRACE_S",
        "Seconds for which known tokens go on while Globus Auth is down, at most 300.",
        "300",
        parse_seconds,
    ),
    Key(
        "DRAIN_S", "Seconds for which running answers may go on once the gateway is told to stop.", "900", parse_seconds
    ),
    Key("LOG_LEVEL", "DEBUG, INFO, WARNING or ERROR.", "INFO", parse_level),
    Key(
        "METRICS_ALLOWED_ADDRESSES",
        "Comma-separated addresses and networks that may read /metrics.",
        "127.0.0.1,::1",
        parse_networks,
    ),
    Key("LOG_FORMAT", "line, or json: one object per line.", "line", parse_log_format),
    Key("LOG_FILE", 'File that records are appended to, for logrotate; "" writes them to standard error.', ""),
    Key("ACCESS_LOG", "Whether each request is logged when it has ended.", "False", parse_bool),
    Key(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "Base address of the OTLP/HTTP collector; traces are sent there.",
        None,
        reader=_OTEL,
    ),
    Key(
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "Whole address that traces are posted to, where it is no /v1/traces below the base address.",
        None,
        reader=_OTEL,
    ),
    Key(
        "OTEL_EXPORTER_OTLP_HEADERS",
        "Comma-separated name=value headers for the collector, such as its credentials.",
        None,
        reader=_OTEL,
        secret=True,
    ),
    Key("OTEL_EXPORTER_OTLP_CERTIFICATE", "File of the authority of the collector's certificate.", None, reader=_OTEL),
    Key("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf, the only one.", None, reader=_OTEL),
    Key("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "The same, for traces alone.", None, reader=_OTEL),
    Key(
        "OTEL_TRACES_EXPORTER",
        "otlp sends traces (to localhost:4318 unless an endpoint is set); none sends none.",
        None,
        reader=_OTEL,
    ),
    Key(
        "OTEL_TRACES_SAMPLER",
        "Which requests are traced: parentbased_always_on (the default), traceidratio and others.",
        None,
        reader=_OTEL,
    ),
    Key("OTEL_TRACES_SAMPLER_ARG", "The ratio of traceidratio, from 0 to 1.", None, reader=_OTEL),
    Key("OTEL_SERVICE_NAME", "Name of this gateway in traces, where it is not inference-gateway.", None, reader=_OTEL),
    Key("OTEL_RESOURCE_ATTRIBUTES", "Comma-separated name=value attributes of this gateway.", None, reader=_OTEL),
    Key("OTEL_SDK_DISABLED", "true switches traces off.", None, reader=_OTEL),
    Key(
        "POSTGRES_DB",
        "Database that the container creates.",
        None,
        reader="container postgres, and gateway as PGDATABASE",
    ),
    Key("POSTGRES_USER", "User that the container creates.", None, reader="container postgres, and gateway as PGUSER"),
    Key(
        "POSTGRES_PASSWORD",
        "Password that the container sets.",
        None,
        reader="container postgres, and gateway as PGPASSWORD",
        secret=True,
    ),
    Key("CLI_AUTH_CLIENT_ID", "Public client of the token script.", None, reader="inference-auth-token.py"),
    Key(
        "CLI_ALLOWED_DOMAINS",
        "Comma-separated domains, one of which the login must come from.",
        None,
        reader="inference-auth-token.py",
    ),
    Key("CLI_TOKEN_DIR", "Folder of the token script's tokens.", None, reader="inference-auth-token.py"),
    Key("CLI_APP_NAME", "App name of the token script.", None, reader="inference-auth-token.py"),
    Key(
        "MAX_BATCHES_PER_USER",
        "Batches that one user may run at once.",
        None,
        reader="the batch API, a feature to come",
    ),
    Key("GF_SECURITY_ADMIN_USER", "Grafana's administrator.", None, reader="container grafana"),
    Key(
        "GF_SECURITY_ADMIN_PASSWORD",
        "Grafana's administrator's password.",
        None,
        reader="container grafana",
        secret=True,
    ),
    Key(
        "GRAFANA_DB_USER",
        "PostgreSQL's user that reads the request log for Grafana: docs/monitoring.md makes it.",
        None,
        reader="container grafana",
    ),
    Key("GRAFANA_DB_PASSWORD", "The password of GRAFANA_DB_USER.", None, reader="container grafana", secret=True),
)


class Environment:
    """The parsed values, by key: ``environment["PGPORT"]``."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        """Parse every key of `KEYS`. Raises `EnvironmentInvalid`."""
        self._values = {key.name: _parse(key, variables) for key in KEYS}

    def text(self, name: str) -> str:
        """The key's text; empty where it is not set."""
        value = self._values[name]
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> float:
        """The key's number."""
        value = self._values[name]
        if not isinstance(value, int | float):
            raise TypeError(f"{name} is not a number")
        return value

    def flag(self, name: str) -> bool:
        """The key's truth value."""
        return self._values[name] is True

    def items(self, name: str) -> tuple[str, ...]:
        """The key's list."""
        value = self._values[name]
        return value if isinstance(value, tuple) else ()

    def mapping(self, name: str) -> dict[str, str]:
        """The key's name-to-value object."""
        value = self._values[name]
        return dict(value) if isinstance(value, dict) else {}


def _parse(key: Key, variables: Mapping[str, str]) -> object:
    found = next((variables[name] for name in (key.name, *key.older) if variables.get(name)), None)
    text = variables.get(key.name, key.default) if found is None else found
    if text is None:
        return None
    try:
        return key.parse(text.strip())
    except (ValueError, json.JSONDecodeError) as exc:
        shown = "its value" if key.secret else repr(text)
        raise EnvironmentInvalid(f"{key.name}: {shown} cannot be used: {exc}. {key.meaning}") from exc


def load_environment() -> Environment:
    """The process's environment over ``.env`` in the project's folder."""
    # A secret may hold "${": it is no reference to another key.
    values = dotenv_values(BASE_DIR / ".env", interpolate=False)
    from_file = {name: value for name, value in values.items() if value is not None}
    of_sdk = {key.name for key in KEYS if key.reader == _SDK}
    for name, value in from_file.items():
        if name in of_sdk or name.startswith("OTEL_"):
            os.environ.setdefault(name, value)  # the SDKs read nothing but their process's environment
    return Environment({**from_file, **os.environ})
