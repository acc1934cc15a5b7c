"""How much a principal may use. Reserved before the work, settled after it."""

from typing import Protocol

from resource_server.domain.principal import Principal
from resource_server.domain.usage import Usage


class Reservation(Protocol):
    """What one request has reserved."""

    def settle(self, usage: Usage) -> None:
        """Replace the reservation by what was used; never waits: storing it comes after the answer."""
        ...


class Limits(Protocol):
    """Rate limits, token budgets and concurrency."""

    async def reserve(self, principal: Principal, model: str) -> Reservation:
        """Take a place for one request. Raises `RateLimited`."""
        ...


class Unlimited:
    """Limits that never refuse, until an operator configures some."""

    async def reserve(self, principal: Principal, model: str) -> "Unlimited":  # noqa: ARG002 - the protocol's signature
        """Every request has a place."""
        return self

    def settle(self, usage: Usage) -> None:
        """Nothing was reserved."""
