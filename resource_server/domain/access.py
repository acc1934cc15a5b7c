"""Access rules: who may use a cluster, an endpoint, a target. Lists mean *any of*; several rules mean *all*."""

from collections.abc import Iterable
from dataclasses import dataclass

from resource_server.domain.principal import Principal


@dataclass(frozen=True, slots=True)
class AccessRule:
    """One row's restriction; an empty set restricts nothing.

    Attributes:
        group_ids: Globus group UUIDs, one of which the caller must be an active member of.
        domains: domains, lower case, one of which the caller's identity set must hold.
    """

    group_ids: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()

    def is_open(self) -> bool:
        """Whether everybody passes."""
        return not self.group_ids and not self.domains


def needs_groups(rules: Iterable[AccessRule]) -> bool:
    """Whether deciding on these rules needs the caller's groups."""
    return any(rule.group_ids for rule in rules)


def can_use(principal: Principal, group_ids: frozenset[str], rules: Iterable[AccessRule]) -> bool:
    """Whether the caller passes every rule; `group_ids` are the caller's active groups."""
    return all(
        (not rule.group_ids or not rule.group_ids.isdisjoint(group_ids))
        and (not rule.domains or not rule.domains.isdisjoint(principal.domains))
        for rule in rules
    )
