"""What the operator decides about who may come in, and the bounds of what is remembered."""

from collections.abc import Mapping
from dataclasses import dataclass, field

GROUPS_SCOPE = "urn:globus:auth:scope:groups.api.globus.org:view_my_groups_and_memberships"
"""What the gateway's own scope depends on, so that it may read a caller's groups."""

_UUID_SETS = ("authorized_clients", "group_ids", "policy_ids")


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentitySettings:
    """Rules and bounds. All times in seconds; UUIDs in any case, kept in lower case, as Globus writes them.

    Attributes:
        application_id: client UUID of the gateway's Globus Service API application: the audience of its tokens.
        application_secret: its secret.
        scope_names: names below ``https://auth.globus.org/scopes/<application_id>/``, one of which a token needs.
        authorized_idps: provider name → UUID; a person's session must hold one of them. Empty: any provider.
        authorized_clients: Globus client identities that may come in. See `rules.check_provider` for when it binds.
        group_ids: groups, one of which every caller must be an active member of. Empty: no restriction.
        policy_ids: Globus authentication policies, all of which the session must fulfil.
        assurance_timeout_s: age after which an authentication no longer counts, where the site's policies have
            such a bound; `None` leaves it to Globus's own evaluation at each introspection.
        introspection_ttl_s: how long a positive introspection is believed, from the moment it was asked for.
        inactive_ttl_s: the same for a negative one.
        groups_ttl_s: the same for a caller's groups.
        groups_max_stale_s: age up to which groups are believed while Globus cannot be asked.
        outage_grace_s: age up to which a positive introspection is believed while Globus cannot be asked; read
            it through `grace_s`, which is 0 where policies are demanded.
        retry_pause_s: how long a token lives on its last known good answer before Globus is tried again for it.
        outbound_per_s: introspections in any one second, from this process.
        unknown_per_address_per_s: of them, steadily, for unknown tokens from one address.
        unknown_per_address_burst: unknown tokens from one address after silence.
        call_timeout_s: one HTTP call to Globus.
        total_timeout_s: everything that one answer needs.
        threads: calls to Globus under way at once.
        max_tokens: tokens remembered in this process.
        max_addresses: addresses counted at once.
    """

    application_id: str
    application_secret: str = field(repr=False)
    scope_names: tuple[str, ...] = ("action_all",)
    authorized_idps: Mapping[str, str] = field(default_factory=dict)
    authorized_clients: frozenset[str] = frozenset()
    group_ids: frozenset[str] = frozenset()
    policy_ids: frozenset[str] = frozenset()
    assurance_timeout_s: float | None = None
    introspection_ttl_s: float = 30.0
    inactive_ttl_s: float = 10.0
    groups_ttl_s: float = 60.0
    groups_max_stale_s: float = 300.0
    outage_grace_s: float = 300.0
    retry_pause_s: float = 5.0
    outbound_per_s: float = 50.0
    unknown_per_address_per_s: float = 10.0
    unknown_per_address_burst: int = 20
    call_timeout_s: float = 3.0
    total_timeout_s: float = 5.0
    threads: int = 8
    max_tokens: int = 10_000
    max_addresses: int = 10_000

    def __post_init__(self) -> None:
        lowered = {name: frozenset(map(str.lower, getattr(self, name))) for name in _UUID_SETS}
        idps = {name: provider_id.lower() for name, provider_id in self.authorized_idps.items()}
        for name, value in {**lowered, "authorized_idps": idps, "application_id": self.application_id.lower()}.items():
            object.__setattr__(self, name, value)

    @property
    def grace_s(self) -> float:
        """How long a token outlives Globus Auth; never at all where high assurance is demanded."""
        return 0.0 if self.policy_ids else self.outage_grace_s

    @property
    def scopes(self) -> tuple[str, ...]:
        """The gateway's scopes, the first being the one to ask for."""
        return tuple(f"https://auth.globus.org/scopes/{self.application_id}/{name}" for name in self.scope_names)
