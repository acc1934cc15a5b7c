"""Whether traces are asked for, and what sends them then. Where they are not, nothing of the SDK is imported."""

import asyncio
import logging
from importlib.util import find_spec

from resource_server import VERSION
from resource_server.domain.settings import Settings
from resource_server.tracing.base import NoTracer, Tracer

logger = logging.getLogger(__name__)

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL = "http/protobuf"


def is_wanted(settings: Settings) -> bool:
    """Whether the standard variables ask for traces."""
    if settings.text("OTEL_SDK_DISABLED").lower() == "true":
        return False
    exporter = settings.text("OTEL_TRACES_EXPORTER")
    return exporter != "none" if exporter else any(map(settings.text, _ENDPOINTS))


def find_obstacle(settings: Settings) -> str:
    """Why traces that are asked for cannot be sent; empty where they can, or nobody asks."""
    if not is_wanted(settings):
        return ""
    if settings.text("OTEL_TRACES_EXPORTER") not in {"", "otlp"}:
        return "OTEL_TRACES_EXPORTER names an exporter that the gateway does not have"
    if next(filter(None, map(settings.text, _PROTOCOLS)), _PROTOCOL) != _PROTOCOL:
        return f"the OTLP protocol is another one than {_PROTOCOL}"
    return "" if _is_installed() else "the extra tracing is not installed"


async def open_tracer(settings: Settings, instance_id: str) -> Tracer:
    """The process's tracer; without traces, or where `find_obstacle` finds one, it traces nothing.

    Raises:
        ValueError: a standard variable's value cannot be used.
    """
    obstacle = find_obstacle(settings)
    if obstacle:
        logger.error("traces_off: %s", obstacle)
    if obstacle or not is_wanted(settings):
        return NoTracer()
    return await asyncio.to_thread(_build, instance_id)  # it reads hundreds of files


def _build(instance_id: str) -> Tracer:
    from resource_server.tracing.otlp import OpenTelemetryTracer  # noqa: PLC0415 - an extra that most do without

    return OpenTelemetryTracer(
        {"service.name": "inference-gateway", "service.version": VERSION, "service.instance.id": instance_id}
    )


def _is_installed() -> bool:
    try:
        return all(map(find_spec, ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http")))
    except ImportError:  # of a name that is missing before the last dot
        return False
