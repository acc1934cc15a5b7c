"""Logging: one line per record on stderr. Prompts, tokens and bodies are never arguments of a record."""

from typing import Any


def build_logging(level: str) -> dict[str, Any]:
    """The ``LOGGING`` setting at `level`, a name such as ``INFO``."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s", "datefmt": "%Y-%m-%dT%H:%M:%S%z"},
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": ["stderr"], "level": level, "propagate": False},
            # Their DEBUG lines show request bodies and headers.
            "globus_sdk": {"level": "WARNING"},
            "globus_compute_sdk": {"level": "WARNING"},
            "urllib3": {"level": "WARNING"},
            "aiormq": {"level": "WARNING"},
        },
    }
