"""What a role may do, as Django's admin and REST framework ask it: permissions by name."""

from typing import Any

from django.contrib.auth.backends import BaseBackend

from resource_server.domain.roles import Role

_CATALOGUE = ("cluster", "endpoint", "federatedendpoint")
_READ_ONLY = ("requestlog", "auditevent", "user", "clusterstatus")

OPERATOR = frozenset(
    [f"resource_server.{verb}_{row}" for row in _CATALOGUE for verb in ("view", "add", "change", "delete")]
    + [f"resource_server.view_{row}" for row in _READ_ONLY]
)


class RolePermissions(BaseBackend):
    """Permissions of people whose role comes from their Globus groups; it signs nobody in.

    Admins need no list: Django asks no backend about a superuser, which `visitors.give_role` makes them for the
    length of a request. Local accounts have the permissions of their rows, by Django's own backend.
    """

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        return getattr(user_obj, "role", None) is Role.OPERATOR and user_obj.is_active and perm in OPERATOR

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        """Whether the admin shows the app at all."""
        return getattr(user_obj, "role", None) is Role.OPERATOR and app_label == "resource_server"
