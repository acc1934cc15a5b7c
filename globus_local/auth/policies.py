from collections.abc import Iterable
from typing import Any

from globus_local.cloud import Cloud
from globus_local.records import Authentication, Policy, Session


def evaluate(cloud: Cloud, policy: Policy, session: Session | None) -> bool:
    """Whether one login of the session satisfies all of the policy; without a session nothing does."""
    authentications: Iterable[Authentication] = session.authentications.values() if session else ()
    return any(satisfies(cloud, policy, authentication) for authentication in authentications)


def satisfies(cloud: Cloud, policy: Policy, authentication: Authentication) -> bool:
    """Whether this login is at a domain that the policy wants, recent enough, and with enough factors."""
    domain = cloud.identities[authentication.sub].domain
    included = not policy.domain_constraints_include or _matches(domain, policy.domain_constraints_include)
    excluded = _matches(domain, policy.domain_constraints_exclude)
    return (
        included and not excluded and _is_recent(cloud, policy, authentication) and _has_factors(policy, authentication)
    )


def _matches(domain: str, patterns: Iterable[str]) -> bool:
    """A pattern is a domain, or `*.domain` for those below it."""
    return any(
        domain.endswith(pattern.lower()[1:]) if pattern.startswith("*.") else domain == pattern.lower()
        for pattern in patterns
    )


def _is_recent(cloud: Cloud, policy: Policy, authentication: Authentication) -> bool:
    timeout_s = policy.authentication_assurance_timeout
    if not policy.high_assurance or timeout_s is None:
        return True
    return cloud.clock.now() < authentication.auth_time + timeout_s


def _has_factors(policy: Policy, authentication: Authentication) -> bool:
    return not policy.required_mfa or "mfa" in authentication.amr


def build_document(policy: Policy) -> dict[str, Any]:
    """The policy as `GET /v2/api/policies/{id}` shows it."""
    return {
        "id": policy.id,
        "display_name": policy.display_name,
        "description": policy.description,
        "high_assurance": policy.high_assurance,
        "authentication_assurance_timeout": policy.authentication_assurance_timeout,
        "domain_constraints_include": list(policy.domain_constraints_include) or None,
        "domain_constraints_exclude": list(policy.domain_constraints_exclude) or None,
        "required_mfa": policy.required_mfa,
        "project_id": policy.project_id,
    }
