"""Who is calling, as the rest of the gateway sees them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller. Decisions use `sub`, `client_id` and the UUID sets; names are for people.

    Attributes:
        sub: Globus identity UUID of the token's subject: the key of everything a caller owns.
        username: for example ``alice@anl.gov``; display only.
        name: display only; may be empty.
        email: display only; may be empty.
        client_id: the Globus app that the token was issued to (for a client identity: itself).
        is_client: the caller is a Globus client identity: no person, no session.
        identity_ids: UUIDs of the linked identities, `sub` included.
        identity_provider_ids: UUIDs of the providers in the token's session.
        domains: domains of the usernames in the identity set, split at the last ``@``, lower case.
        token_hash: SHA-256 of the token, hex, 64 characters.
        expires_at: POSIX seconds at which the token ends.
    """

    sub: str
    username: str
    name: str
    email: str
    client_id: str
    is_client: bool
    identity_ids: frozenset[str]
    identity_provider_ids: frozenset[str]
    domains: frozenset[str]
    token_hash: str
    expires_at: float
