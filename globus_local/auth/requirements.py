from collections.abc import Mapping
from dataclasses import dataclass

from globus_local.auth.people import list_identity_set
from globus_local.auth.policies import satisfies
from globus_local.cloud import Cloud
from globus_local.errors import OAuthError
from globus_local.forms import split_list
from globus_local.records import Authentication, Identity, Policy

PASSWORD, SECOND_FACTOR = ("pwd",), ("pwd", "mfa")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What an application asks of a login (`session_required_…`); empty fields ask nothing."""

    identities: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    policies: tuple[Policy, ...] = ()
    mfa: bool = False

    @property
    def needs_mfa(self) -> bool:
        """Whether a second factor is asked for, by the application or by a policy."""
        return self.mfa or any(policy.required_mfa for policy in self.policies)


def parse_requirement(cloud: Cloud, query: Mapping[str, str]) -> Requirement:
    """Read the session requirements of an authorize call.

    Raises:
        OAuthError: `invalid_request`: there is no such policy.
    """
    policy_ids = split_list(query.get("session_required_policies", ""))
    unknown = [policy_id for policy_id in policy_ids if policy_id not in cloud.policies]
    if unknown:
        raise OAuthError("invalid_request", f"No such authentication policy: {unknown[0]}")
    return Requirement(
        identities=tuple(name.lower() for name in split_list(query.get("session_required_identities", ""))),
        domains=tuple(domain.lower() for domain in split_list(query.get("session_required_single_domain", ""))),
        policies=tuple(cloud.policies[policy_id] for policy_id in policy_ids),
        mfa=query.get("session_required_mfa", "").lower() == "true",
    )


def find_login(cloud: Cloud, person: Identity, requirement: Requirement) -> Authentication | None:
    """The login, made now, that satisfies the requirement: by the identity itself or by one linked to it."""
    for identity in list_identity_set(cloud, person.id):
        login = Authentication(
            sub=identity.id,
            idp=identity.provider_id,
            auth_time=cloud.clock.now(),
            amr=SECOND_FACTOR if requirement.needs_mfa else PASSWORD,
        )
        if _meets(cloud, identity, login, requirement):
            return login
    return None


def _meets(cloud: Cloud, identity: Identity, login: Authentication, requirement: Requirement) -> bool:
    asked = not requirement.identities or not {identity.id, identity.username.lower()}.isdisjoint(
        requirement.identities
    )
    placed = not requirement.domains or identity.domain in requirement.domains
    return asked and placed and all(satisfies(cloud, policy, login) for policy in requirement.policies)
