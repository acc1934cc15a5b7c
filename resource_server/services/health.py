"""Whether the process runs, and whether it can serve."""

from collections.abc import Collection

import orjson

from resource_server.accounting import Accounting
from resource_server.domain.errors import NotFound, Overloaded
from resource_server.domain.replies import Reply
from resource_server.identity.base import Authenticator
from resource_server.services.catalogue import Catalogue
from resource_server.state.base import State
from resource_server.telemetry.telemetry import Telemetry
from resource_server.telemetry.text import CONTENT_TYPE

_DATABASE_LATE_S = 10.0


def describe_health() -> Reply:
    """The process answers."""
    return Reply(orjson.dumps({"status": "ok"}))


def describe_readiness(
    catalogue: Catalogue, state: State, accounting: Accounting, authenticator: Authenticator
) -> Reply:
    """503 without a catalogue; what is degraded is named, with 200, because requests are still served."""
    degraded = [
        name
        for name, is_degraded in (
            ("database", catalogue.age_s() > _DATABASE_LATE_S),
            ("redis", state.is_degraded()),
            ("accounting", accounting.is_degraded()),
        )
        if is_degraded
    ]
    degraded += authenticator.failing()
    if not catalogue.is_ready():
        return Reply(
            orjson.dumps({"status": "unavailable", "degraded": degraded}), status=503, headers={"retry-after": "5"}
        )
    return Reply(orjson.dumps({"status": "degraded" if degraded else "ok", "degraded": degraded}))


async def describe_metrics(address: str, allowed: Collection[str], telemetry: Telemetry) -> Reply:
    """The metrics of all workers; for anybody but an allow-listed address the route does not exist."""
    if address not in allowed:
        raise NotFound("There is no such route.")
    try:
        return Reply(await telemetry.scrape(), content_type=CONTENT_TYPE)
    except OSError as exc:
        # A part of the workers would look to Prometheus like a restart.
        raise Overloaded("The workers' metrics cannot be gathered now.", retry_after_s=5) from exc
