"""What the cloud remembers. Times are POSIX timestamps in seconds, ids are UUID text."""

from dataclasses import dataclass, field
from typing import Literal

ClientKind = Literal["confidential", "native"]
"""`confidential` has a secret and an identity of its own; `native` (a public client) has neither."""


@dataclass(slots=True, kw_only=True)
class Provider:
    """An identity provider: where people log in."""

    id: str
    name: str
    domains: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Identity:
    """Somebody at a provider. `linked_ids` are the other identities of the same person."""

    id: str
    username: str
    name: str | None = None
    email: str | None = None
    organization: str | None = None
    provider_id: str
    linked_ids: tuple[str, ...] = ()

    @property
    def domain(self) -> str:
        """What follows the @ of the username."""
        return self.username.rpartition("@")[2].lower()


@dataclass(slots=True, kw_only=True)
class Client:
    """An application. `scopes` maps the names of its own scopes to the scope strings that each depends on."""

    id: str
    name: str
    kind: ClientKind = "confidential"
    secret: str | None = field(default=None, repr=False)
    redirect_uris: tuple[str, ...] = ()
    scopes: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True, frozen=True)
class Authentication:
    """One login within a session: how and when the identity proved itself."""

    sub: str
    idp: str
    auth_time: float
    amr: tuple[str, ...] = ("pwd",)
    acr: str | None = None


@dataclass(slots=True, kw_only=True)
class Session:
    """What a person has logged in with; client identities have none."""

    id: str
    authentications: dict[str, Authentication] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True, frozen=True)
class Grant:
    """What somebody allowed an application to do at one resource server.

    `scopes` are the bare scope strings; `dependents` what the resource server may in turn ask for on their behalf.
    """

    client_id: str
    sub: str
    resource_server: str
    scopes: tuple[str, ...]
    dependents: tuple[str, ...] = ()
    session: Session | None = None


@dataclass(slots=True, kw_only=True)
class RefreshToken:
    """Turns into new access tokens until it is revoked."""

    value: str = field(repr=False)
    grant: Grant
    revoked: bool = False


@dataclass(slots=True, kw_only=True)
class Token:
    """An access token. `refresh_value` is the refresh token it came with or came from, if any."""

    value: str = field(repr=False)
    grant: Grant
    issued_at: float
    expires_at: float
    refresh_value: str | None = field(default=None, repr=False)
    revoked: bool = False

    @property
    def sub(self) -> str:
        """Id of the identity that acts."""
        return self.grant.sub

    @property
    def client_id(self) -> str:
        """Id of the application that acts for it."""
        return self.grant.client_id

    def is_active(self, now: float) -> bool:
        """Neither revoked nor expired."""
        return not self.revoked and now < self.expires_at


@dataclass(slots=True, kw_only=True, frozen=True)
class Code:
    """An authorization code: one login, to be exchanged once. `challenge` is PKCE's, by S256."""

    value: str = field(repr=False)
    redirect_uri: str
    grants: tuple[Grant, ...]
    offline: bool
    challenge: str | None
    nonce: str | None
    expires_at: float


@dataclass(slots=True, kw_only=True)
class Membership:
    """Somebody's place in a group; only `active` ones count."""

    identity_id: str
    status: Literal["active", "invited", "pending", "declined", "rejected", "removed", "left"] = "active"
    role: Literal["member", "manager", "admin"] = "member"


@dataclass(slots=True, kw_only=True)
class Group:
    """A Globus group; `memberships` by identity id."""

    id: str
    name: str
    description: str = ""
    memberships: dict[str, Membership] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Policy:
    """An authentication policy, evaluated on a session.

    Attributes:
        high_assurance: the login must be at most `authentication_assurance_timeout` seconds old.
        domain_constraints_include: one of these domains must be in the session; empty for any.
        domain_constraints_exclude: none of these may be what satisfies it.
        required_mfa: the login must have used more than one factor (`mfa` in its `amr`).
    """

    id: str
    display_name: str
    description: str = ""
    high_assurance: bool = False
    authentication_assurance_timeout: int | None = None
    domain_constraints_include: tuple[str, ...] = ()
    domain_constraints_exclude: tuple[str, ...] = ()
    required_mfa: bool = False
    project_id: str | None = None
