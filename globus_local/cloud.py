import base64
import binascii
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from aiohttp import web

from globus_local.clock import Clock
from globus_local.errors import forbidden, unauthorized
from globus_local.faults import Faults
from globus_local.keys import SigningKey
from globus_local.ledger import Ledger
from globus_local.records import Client, Code, Group, Identity, Policy, Provider, RefreshToken, Token

TWO_DAYS_S = 48 * 3600
CLIENT_PROVIDER_ID = "a1c1e47a-0000-4000-8000-00000c11e475"
CLIENT_DOMAIN = "clients.auth.globus.org"

Reset = Callable[[], None]
"""Empties the state of one part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this cloud runs.

    Attributes:
        host: a loopback address.
        port: 0 for any free one.
        amqp_port: port of the own broker; 0 for any free one.
        amqp_url: a RabbitMQ to use instead of the own broker; `None` for the own one.
        with_endpoint: whether an embedded compute endpoint executes tasks.
    """

    host: str = "127.0.0.1"
    port: int = 0
    amqp_port: int = 0
    amqp_url: str | None = None
    with_endpoint: bool = True


class BasicCredential(NamedTuple):
    """What a Basic `Authorization` header holds."""

    client_id: str
    secret: str


class Cloud:
    """All state of the stand-in, in memory.

    Attributes:
        base_url: address of all services, without a trailing slash; set once the port is known.
        amqp_url: address of the broker; set by the Compute part when it starts.
        admin_token: bearer token of the `/admin/` routes.
        token_lifetime_s: how long new access tokens live.
        auto_login: id or username of whom the login page signs in without asking; `None` to ask.
        on_reset: called by `reset`; other parts append what empties their own state.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.base_url = ""
        self.amqp_url = ""
        self.admin_token = secrets.token_urlsafe(32)
        self.on_reset: list[Reset] = []
        self.clock = Clock()
        self.ledger = Ledger()
        self.faults = Faults()
        self.token_lifetime_s = TWO_DAYS_S
        self.providers: dict[str, Provider] = {}
        self.identities: dict[str, Identity] = {}
        self.clients: dict[str, Client] = {}
        self.groups: dict[str, Group] = {}
        self.policies: dict[str, Policy] = {}
        self.tokens: dict[str, Token] = {}
        self.refresh_tokens: dict[str, RefreshToken] = {}
        self.codes: dict[str, Code] = {}
        self.auto_login: str | None = None
        self.signing_key = SigningKey()
        self._add_client_provider()

    def reset(self) -> None:
        """Forget everything but the addresses and the admin token."""
        self.clock.skew_s = 0.0
        self.token_lifetime_s = TWO_DAYS_S
        self.auto_login = None
        self.ledger.clear()
        self.faults.clear()
        for records in (self.providers, self.identities, self.clients, self.groups, self.policies):
            records.clear()
        for issued in (self.tokens, self.refresh_tokens, self.codes):
            issued.clear()
        self._add_client_provider()
        for empty in self.on_reset:
            empty()

    def _add_client_provider(self) -> None:
        name = "Globus Auth clients"
        self.providers[CLIENT_PROVIDER_ID] = Provider(id=CLIENT_PROVIDER_ID, name=name, domains=(CLIENT_DOMAIN,))

    def find_token(self, request: web.Request) -> Token | None:
        """The known token in the `Authorization` header, whether still good or not."""
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        return self.tokens.get(value.strip()) if scheme.lower() == "bearer" else None

    def authenticate(self, request: web.Request, *, resource_server: str, scope: str | None = None) -> Token:
        """The good bearer token of a call to `resource_server`; its `sub` and `client_id` say who calls.

        Raises:
            ServiceError: 401 without a good token for this resource server, 403 if `scope` is not among its scopes.
        """
        token = self.find_token(request)
        if token is None or not token.is_active(self.clock.now()):
            raise unauthorized("Token is not active" if "Authorization" in request.headers else "Missing token")
        if token.grant.resource_server != resource_server:
            raise unauthorized(f"Token is not for {resource_server}")
        if scope is not None and scope not in token.grant.scopes:
            raise forbidden(f"Missing required scope {scope}")
        return token

    def authenticate_client(self, request: web.Request) -> Client:
        """The confidential client of a call with Basic authentication.

        Raises:
            ServiceError: 401.
        """
        credential = parse_basic(request)
        client = self.clients.get(credential.client_id) if credential else None
        if credential is None or client is None or client.secret is None:
            raise unauthorized("Client authentication is required")
        if not hmac.compare_digest(client.secret.encode(), credential.secret.encode()):
            raise unauthorized("Client authentication failed")
        return client


def parse_basic(request: web.Request) -> BasicCredential | None:
    """The Basic credential of a call; `None` where there is none that can be read."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, colon, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return BasicCredential(client_id, secret) if colon else None


CLOUD = web.AppKey("CLOUD", Cloud)
"""Where handlers find the cloud: `request.app[CLOUD]`."""
