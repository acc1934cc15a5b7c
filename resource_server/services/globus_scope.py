"""The scope for which callers' tokens are issued, and its dependence on Globus Groups: made once, by a command."""

from dataclasses import dataclass

from resource_server.identity.globus_scopes import GlobusScopes, RegisteredScope, ScopeFailed
from resource_server.identity.settings import GROUPS_SCOPE

SUFFIX = "action_all"


@dataclass(frozen=True, slots=True)
class ScopeState:
    """What there is at Globus, and what is missing; `missing` is empty where all is well."""

    string: str
    scope: RegisteredScope | None
    groups_id: str

    @property
    def missing(self) -> str:
        """What is not there, in words."""
        if self.scope is None:
            return f"the scope {self.string} does not exist"
        if self.groups_id not in self.scope.dependent_ids:
            return (
                f"the scope {self.string} does not depend on {GROUPS_SCOPE}: the gateway may not read callers' groups"
            )
        return ""


def look_up(scopes: GlobusScopes, application_id: str) -> ScopeState:
    """How the application's scope stands. Raises `ScopeFailed`."""
    string = f"https://auth.globus.org/scopes/{application_id}/{SUFFIX}"
    groups = scopes.find(GROUPS_SCOPE)
    if groups is None:
        raise ScopeFailed(f"Globus Auth does not know {GROUPS_SCOPE}")
    return ScopeState(string, scopes.find(string), groups.id)


def mend(scopes: GlobusScopes, state: ScopeState) -> ScopeState:
    """Make what is missing; what the scope depends on already is kept. Raises `ScopeFailed`."""
    if not state.missing:
        return state
    if state.scope is None:
        name, description = "Inference", "Use language models through the inference gateway"
        made = scopes.create(SUFFIX, name, description, [state.groups_id])
    else:
        made = scopes.set_dependents(state.scope, sorted({*state.scope.dependent_ids, state.groups_id}))
    return ScopeState(state.string, made, state.groups_id)
