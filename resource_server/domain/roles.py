"""What people may do in the pages for people: two roles, each given by Globus groups."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """A person without a role uses the service; these run it."""

    OPERATOR = "operator"
    """Changes the catalogue; reads the request log and the audit."""
    ADMIN = "admin"
    """May do everything that the pages offer."""


@dataclass(frozen=True, slots=True)
class RoleGroups:
    """Which Globus groups give which role; one of them is enough. An empty set gives a role to nobody."""

    admins: frozenset[str] = frozenset()
    operators: frozenset[str] = frozenset()

    def find_role(self, group_ids: frozenset[str]) -> Role | None:
        """The highest role that these groups give."""
        if not self.admins.isdisjoint(group_ids):
            return Role.ADMIN
        return None if self.operators.isdisjoint(group_ids) else Role.OPERATOR

    def is_used(self) -> bool:
        """Whether any group gives a role: otherwise nobody's groups need to be asked for."""
        return bool(self.admins or self.operators)
