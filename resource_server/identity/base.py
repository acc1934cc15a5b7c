"""Who is calling: what the API asks of this package, and what this package asks of Globus.

What asking Globus can come to, beside an answer:

GlobusFailure
├── GlobusUnavailable   no answer, or none that can be used: says nothing about the token
│   └── AnswerUnusable      … for this token; the next one may fare better
├── TokenRefused        Globus no longer honours the token
└── ConsentMissing      the person has not allowed the gateway to ask on their behalf
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from resource_server.domain.principal import Principal


class Caller(Protocol):
    """An authenticated caller, for the length of one request."""

    @property
    def principal(self) -> Principal:
        """Who it is."""
        ...

    async def groups(self) -> frozenset[str]:
        """UUIDs of the Globus groups that the caller is an active member of; asked for only when needed.

        Raises:
            AuthUnavailable: Groups cannot be asked; this is not the same as "no groups".
            AuthenticationFailed: the token has ended since it was verified.
            ReauthenticationRequired: the caller has not consented to the gateway reading their groups.
        """
        ...


class Authenticator(Protocol):
    """From a bearer token to a caller."""

    def find_cached(self, authorization: str | None) -> Caller | None:
        """The caller if everything needed is in this process's memory and fresh, else `None`.

        Never waits, never raises: the way of nearly every request. `None` says nothing about the token.
        """
        ...

    async def authenticate(self, authorization: str | None, client_address: str) -> Caller:
        """The caller behind an ``Authorization`` header.

        Args:
            authorization: the header's value, `None` where there is none.
            client_address: the peer's IP address, which bounds how often it may present unknown tokens.

        Raises:
            AuthenticationFailed: no token, or one that is malformed, unknown, ended, or meant for somebody else.
            AccessDenied: the caller as a whole is refused; `ReauthenticationRequired` where a new login helps.
            RateLimited: the address has presented too many unknown tokens.
            AuthUnavailable: Globus cannot be asked, and nothing fresh enough is cached.
        """
        ...

    async def revoke(self, token: str) -> None:
        """End the token at Globus and forget it here, as when its owner signs out.

        Raises:
            AuthUnavailable: Globus cannot be asked; the token is forgotten here all the same.
        """
        ...

    def failing(self) -> list[str]:
        """Which of ``globus_auth`` and ``globus_groups`` did not answer when last asked; from memory."""
        ...

    async def aclose(self) -> None:
        """Finish what is under way and release threads and connections."""
        ...


class GlobusIdentity(Protocol):
    """What the gateway asks of Globus about a token. Every answer is untrusted."""

    async def introspect(self, token: str) -> object:
        """Globus Auth's introspection document of the token, as it came.

        Raises:
            GlobusUnavailable: no usable answer.
        """
        ...

    async def active_group_ids(self, token: str) -> Sequence[str]:
        """Group UUIDs in which the token's subject is an active member.

        Raises:
            GlobusUnavailable: no usable answer.
            TokenRefused: Globus no longer honours the token.
            ConsentMissing: the subject has not consented.
        """
        ...

    async def revoke(self, token: str) -> None:
        """Have Globus honour the token no longer.

        Raises:
            GlobusUnavailable: no usable answer.
        """
        ...

    async def aclose(self) -> None:
        """Release threads and connections."""
        ...


class GlobusFailure(Exception):
    """Globus gave no positive answer. The text is for logs."""


class GlobusUnavailable(GlobusFailure):
    """No answer that can be used, whoever is at fault.

    Args:
        reason: for logs.
        retry_after_s: seconds after which Globus wants to be asked again, where it said so.
    """

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class AnswerUnusable(GlobusUnavailable):
    """Globus is there, but what it answers about this token is nothing we know."""


class TokenRefused(GlobusFailure):
    """Globus no longer honours the token."""


class ConsentMissing(GlobusFailure):
    """The person has not consented to what the gateway needs.

    Args:
        required_scopes: what to ask consent for, in Globus's notation.
    """

    def __init__(self, required_scopes: Sequence[str]) -> None:
        super().__init__("consent is missing")
        self.required_scopes = list(required_scopes)


@dataclass(frozen=True, slots=True)
class Clock:
    """The two clocks: POSIX time for what Globus states, monotonic time for our own bounds. Seconds."""

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic


@dataclass(slots=True)
class IdentityStats:
    """Counters since the process started; read by whoever exports metrics."""

    cached: int = 0
    """Requests answered from this process's memory."""
    shared_hits: int = 0
    """Tokens found in the shared cache."""
    introspections: int = 0
    introspection_failures: int = 0
    inactive: int = 0
    """Introspections that found the token inactive."""
    group_calls: int = 0
    group_call_failures: int = 0
    stale_served: int = 0
    """Requests let in, or groups used, on a last known good answer while Globus was away."""
    held_back: int = 0
    """Questions to Globus Auth that the outbound limits turned away."""
