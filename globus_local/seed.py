"""From JSON to records: seed files and the admin surface speak the same format (`README.md`, "Seed files")."""

import dataclasses
import json
import secrets
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

from globus_local.auth.scopes import GROUPS_SCOPE
from globus_local.cloud import CLIENT_DOMAIN, CLIENT_PROVIDER_ID, Cloud
from globus_local.records import Client, Group, Identity, Membership, Policy, Provider

Data = Mapping[str, Any]
Record = TypeVar("Record", Client, Group, Identity, Membership, Policy, Provider)

DEFAULT_SCOPES = {"action_all": (GROUPS_SCOPE,)}
"""Scopes of a confidential client that names none: enough for a service that looks up its callers' groups."""


class SeedError(ValueError):
    """A record that cannot be made of what was given; the message names the field."""


def load_seed(cloud: Cloud, path: Path) -> None:
    """Add all records of a seed file.

    Raises:
        SeedError: it is not JSON, or one of its records is wrong.
        OSError: it cannot be read.
    """
    try:
        data = json.loads(path.read_text())
    except ValueError as exc:
        raise SeedError(f"{path} is not JSON: {exc}") from exc
    add_records(cloud, data)


def add_records(cloud: Cloud, data: Data) -> dict[str, list[Any]]:
    """Add records of any kind, `{"providers": […], "identities": […], …}`; answers them complete, in the same shape.

    Raises:
        SeedError: one of them is wrong; those before it stay.
    """
    if not isinstance(data, Mapping):
        raise SeedError("A seed must be a JSON object")
    if unknown := set(data) - set(ADDERS):
        raise SeedError(f"Unknown kind of record: {min(unknown)} (known: {', '.join(ADDERS)})")
    for kind, records in data.items():
        if not isinstance(records, list) or not all(isinstance(record, Mapping) for record in records):
            raise SeedError(f"{kind} must be a list of objects")
    return {kind: [add(cloud, record) for record in data.get(kind, ())] for kind, add in ADDERS.items()}


def add_provider(cloud: Cloud, data: Data) -> Provider:
    """`{id?, name, domains?}`."""
    provider = _build(Provider, data)
    cloud.providers[provider.id] = provider
    return provider


def add_identity(cloud: Cloud, data: Data) -> Identity:
    """`{id?, username, name?, email?, organization?, provider_id?, linked_ids?}`.

    Without `provider_id` it is the provider of the username's domain, made where there is none. Links go both ways.
    """
    username = str(data.get("username", ""))
    if "@" not in username:
        raise SeedError(f"username must look like name@domain, not {username!r}")
    defaults = {"provider_id": data.get("provider_id") or _get_provider_of(cloud, username.rpartition("@")[2].lower())}
    identity = _build(Identity, {"email": username, **data, **defaults})
    if identity.provider_id not in cloud.providers:
        raise SeedError(f"provider_id: there is no provider {identity.provider_id}")
    cloud.identities[identity.id] = identity
    for linked_id in identity.linked_ids:
        other = cloud.identities.get(linked_id)
        if other is None:
            raise SeedError(f"linked_ids: there is no identity {linked_id}")
        other.linked_ids = tuple(dict.fromkeys((*other.linked_ids, identity.id)))
    return identity


def _get_provider_of(cloud: Cloud, domain: str) -> str:
    for provider in cloud.providers.values():
        if domain in provider.domains:
            return provider.id
    return add_provider(cloud, {"name": domain, "domains": [domain]}).id


def add_client(cloud: Cloud, data: Data) -> Client:
    """`{id?, name, kind?, secret?, redirect_uris?, scopes?: {name: [dependent scope, …]}}`.

    A confidential client gets a random secret where none is given, and an identity under its own id.
    """
    scopes = data.get("scopes", DEFAULT_SCOPES if data.get("kind") != "native" else {})
    client = _build(Client, {**data, "scopes": {name: tuple(below) for name, below in scopes.items()}})
    if client.kind == "confidential":
        client.secret = client.secret or secrets.token_urlsafe(32)
        username = f"{client.id}@{CLIENT_DOMAIN}"
        provider_id = CLIENT_PROVIDER_ID
        cloud.identities[client.id] = Identity(
            id=client.id, username=username, name=client.name, provider_id=provider_id
        )
    cloud.clients[client.id] = client
    return client


def add_group(cloud: Cloud, data: Data) -> Group:
    """`{id?, name, description?, members?: [{identity, status?, role?}]}`; `identity` is an id or a username."""
    group = _build(Group, {name: value for name, value in data.items() if name != "members"})
    for member in data.get("members", ()):
        set_membership(cloud, group, member)
    cloud.groups[group.id] = group
    return group


def set_membership(cloud: Cloud, group: Group, data: Data) -> Membership:
    """`{identity, status?, role?}`: replaces the membership that the identity had."""
    identity = get_identity(cloud, str(data.get("identity", "")))
    known = {name: value for name, value in data.items() if name != "identity"}
    membership = _build(Membership, {**known, "identity_id": identity.id})
    group.memberships[identity.id] = membership
    return membership


def add_policy(cloud: Cloud, data: Data) -> Policy:
    """The fields of `records.Policy`."""
    policy = _build(Policy, data)
    cloud.policies[policy.id] = policy
    return policy


def get_identity(cloud: Cloud, id_or_username: str) -> Identity:
    """The identity of this id or username.

    Raises:
        SeedError: there is none.
    """
    for identity in cloud.identities.values():
        if id_or_username.lower() in (identity.id, identity.username.lower()):
            return identity
    raise SeedError(f"identity: there is nobody called {id_or_username!r}")


def _build(kind: type[Record], data: Data) -> Record:
    fields = {field.name: field for field in dataclasses.fields(kind)}
    name = kind.__name__.lower()
    if unknown := sorted(set(data) - set(fields)):
        raise SeedError(f"A {name} has no field {unknown[0]!r} (known: {', '.join(fields)})")
    values: dict[str, Any] = {"id": str(uuid.uuid4())} if "id" in fields else {}
    values |= {key: _parse_value(f"{name}.{key}", fields[key].type, value) for key, value in data.items()}
    try:
        return kind(**values)
    except TypeError as exc:
        raise SeedError(f"A {name} is incomplete: {exc}") from exc


def _parse_value(name: str, expected: Any, value: Any) -> Any:
    if name.endswith(".id"):
        return _parse_uuid(name, value)
    if expected == tuple[str, ...]:
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise SeedError(f"{name} must be a list of texts")
        return tuple(value)
    if get_origin(expected) is Literal and value not in get_args(expected):
        raise SeedError(f"{name} must be one of {', '.join(get_args(expected))}, not {value!r}")
    if expected in (str, bool) and not isinstance(value, expected):
        raise SeedError(f"{name} must be a {expected.__name__}, not {value!r}")
    return value


def _parse_uuid(name: str, value: Any) -> str:
    try:
        return str(uuid.UUID(str(value)))
    except ValueError as exc:
        raise SeedError(f"{name} must be a UUID, not {value!r}") from exc


ADDERS: dict[str, Callable[[Cloud, Data], Any]] = {
    "providers": add_provider,
    "identities": add_identity,
    "clients": add_client,
    "groups": add_group,
    "policies": add_policy,
}
"""Kinds of records, in the order in which they refer to one another."""
