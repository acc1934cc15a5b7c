"""Logging: one line per record on stderr. Prompts, tokens and bodies are never arguments of a record."""

import logging
import re
from typing import Any

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class LineFormatter(logging.Formatter):
    """One line per record: text from elsewhere cannot begin a line of its own, nor speak to a terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line without its traceback, control characters escaped."""
        return _CONTROL.sub(lambda match: ascii(match[0])[1:-1], super().formatMessage(record))


def build_logging(level: str) -> dict[str, Any]:
    """The ``LOGGING`` setting at `level`, a name such as ``INFO``."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "class": "inference_gateway.logs.LineFormatter",
                "format": "%(asctime)s %(levelname)s %(name)s %(message)s",
                "datefmt": "%Y-%m-%dT%H:%M:%S%z",
            },
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": ["stderr"], "level": level, "propagate": False},
            # Their DEBUG lines show request bodies and headers.
            "globus_sdk": {"level": "WARNING"},
            "globus_compute_sdk": {"level": "WARNING"},
            "urllib3": {"level": "WARNING"},
            "aio_pika": {"level": "WARNING"},
            "aiormq": {"level": "WARNING"},
        },
    }
