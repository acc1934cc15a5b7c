"""The gateway's own scope at Globus Auth: found, made, changed. Synchronous, for commands.

The application does it with its own credentials.
API: https://docs.globus.org/api/auth/reference/#clients_and_scopes_api
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from globus_sdk import AuthClient, BasicAuthorizer, DependentScopeSpec, GlobusAPIError, GlobusError

from resource_server.identity.settings import IdentitySettings

T = TypeVar("T")


class ScopeFailed(Exception):
    """Globus refused, or did not answer; the text is for the operator."""


@dataclass(frozen=True, slots=True)
class RegisteredScope:
    """A scope as Globus knows it; `dependent_ids` are the ids of the scopes that it depends on."""

    id: str
    string: str
    dependent_ids: frozenset[str]


class GlobusScopes:
    """The scopes of one application."""

    def __init__(self, settings: IdentitySettings) -> None:
        self._client_id = settings.application_id
        self._auth = AuthClient(
            authorizer=BasicAuthorizer(settings.application_id, settings.application_secret),
        )

    def find(self, string: str) -> RegisteredScope | None:
        """The scope of that string, or None. Raises `ScopeFailed`."""
        documents = _converted(lambda: list(self._auth.get_scopes(scope_strings=string)))
        return next((scope for scope in map(_parse_scope, documents) if scope.string == string), None)

    def create(self, suffix: str, name: str, description: str, dependent_ids: Sequence[str]) -> RegisteredScope:
        """A new scope of the application. Raises `ScopeFailed`."""
        return _converted(
            lambda: _parse_scope(
                self._auth.create_scope(
                    self._client_id,
                    name,
                    description,
                    suffix,
                    dependent_scopes=_specify(dependent_ids),
                    advertised=True,
                    allows_refresh_token=True,
                )["scope"]
            )
        )

    def set_dependents(self, scope: RegisteredScope, dependent_ids: Sequence[str]) -> RegisteredScope:
        """Let `scope` depend on exactly these. Raises `ScopeFailed`."""
        return _converted(
            lambda: _parse_scope(
                self._auth.update_scope(scope.id, dependent_scopes=_specify(dependent_ids))["scope"],
            )
        )


def _specify(dependent_ids: Sequence[str]) -> list[DependentScopeSpec]:
    return [DependentScopeSpec(each, optional=False, requires_refresh_token=False) for each in dependent_ids]


def _parse_scope(document: Any) -> RegisteredScope:
    dependents = frozenset(str(item["scope"]) for item in document.get("dependent_scopes") or ())
    return RegisteredScope(str(document["id"]), str(document["scope_string"]), dependents)


def _converted(call: Callable[[], T]) -> T:
    """Run `call`; whatever the SDK raises becomes one of ours."""
    try:
        return call()
    except GlobusAPIError as exc:
        raise ScopeFailed(f"Globus Auth answered {exc.http_status}: {exc.message or exc.code}") from exc
    except (GlobusError, KeyError, TypeError, AttributeError) as exc:
        raise ScopeFailed(f"Globus Auth could not be asked, or not understood: {type(exc).__name__}") from exc
