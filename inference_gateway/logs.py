"""Logging: one record per line, as text or as JSON. Prompts, tokens and bodies are never arguments of a record."""

import logging
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson

from inference_gateway.environment import KEYS, Environment
from inference_gateway.redaction import Redactor
from resource_server.domain.request_id import CURRENT

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class LineFormatter(logging.Formatter):
    """One line per record: text from elsewhere cannot begin a line of its own, nor speak to a terminal.

    Args:
        secrets: values that no line shows.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S%z")
        self._redact = Redactor(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the traceback below it where there is one."""
        return self._redact(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line without its traceback, control characters escaped, with the id of the request being served."""
        line = super().formatMessage(record)
        if not line.isprintable():
            line = _CONTROL.sub(lambda match: ascii(match[0])[1:-1], line)
        request_id = CURRENT.get()
        return f"{line} request_id={request_id}" if request_id and "request_id=" not in line else line


class JsonFormatter(logging.Formatter):
    """One JSON object per record.

    Its members: ``ts``, ``level``, ``logger``, ``message``, ``request_id`` (null outside of requests), ``exception``
    where there is one, and the record's ``fields`` where it has some.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._redact = Redactor(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """The object on one line."""
        document: dict[str, object] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": self._redact(record.getMessage()),
            "request_id": CURRENT.get() or None,
        }
        if record.exc_info:
            document["exception"] = self._redact(self.formatException(record.exc_info))
        for name, value in getattr(record, "fields", {}).items():
            document.setdefault(name, self._redact(value) if isinstance(value, str) else value)
        return orjson.dumps(document, default=str).decode()


def build_logging(environment: Environment) -> dict[str, Any]:
    """The ``LOGGING`` setting."""
    level = environment.text("LOG_LEVEL")
    formatter = JsonFormatter if environment.text("LOG_FORMAT") == "json" else LineFormatter
    handler: dict[str, Any] = {"class": "logging.StreamHandler"}
    if environment.text("LOG_FILE"):
        # Several processes append to one file, and each notices when logrotate has moved it.
        handler = {"class": "logging.handlers.WatchedFileHandler", "filename": environment.text("LOG_FILE")}
    names = [key.name for key in KEYS if key.secret]
    secrets = [value for name in names for value in (environment.text(name), *environment.items(name))]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"chosen": {"()": formatter, "secrets": secrets}},
        "handlers": {"chosen": {**handler, "formatter": "chosen"}},
        "root": {"handlers": ["chosen"], "level": level},
        "loggers": {
            "django": {"handlers": ["chosen"], "level": level, "propagate": False},
            # uvicorn's own handlers and access log give way to ours (ACCESS_LOG).
            "uvicorn": {"handlers": [], "level": level, "propagate": True},
            "uvicorn.error": {"handlers": [], "propagate": True},
            "uvicorn.access": {"handlers": [], "propagate": False},
            # Their DEBUG lines show request bodies and headers.
            "globus_sdk": {"level": "WARNING"},
            "globus_compute_sdk": {"level": "WARNING"},
            "urllib3": {"level": "WARNING"},
            "aio_pika": {"level": "WARNING"},
            "aiormq": {"level": "WARNING"},
        },
    }


def build_server_logging(environment: Environment) -> dict[str, Any]:
    """As ``logconfig_dict`` of gunicorn, whose own records look like the gateway's. ``--log-level`` holds for them."""
    logging_setting = build_logging(environment)
    logging_setting["loggers"] |= {"gunicorn.error": {"handlers": ["chosen"], "propagate": False}}
    return logging_setting
