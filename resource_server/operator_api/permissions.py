"""What somebody may do here: what they may do in the admin pages, by the same permissions."""

from typing import Any

from rest_framework.permissions import BasePermission, DjangoModelPermissions
from rest_framework.request import Request

_VIEW = ["%(app_label)s.view_%(model_name)s"]


class IsOperator(BasePermission):
    """Anybody with a role; nobody else learns even what there is."""

    def has_permission(self, request: Request, view: Any) -> bool:  # noqa: ARG002 - the base's signature
        return bool(request.user and request.user.is_authenticated and request.user.is_staff)


class RowPermissions(DjangoModelPermissions):
    """To view, add, change and delete rows each need their permission; a method that is not listed is not allowed."""

    perms_map = DjangoModelPermissions.perms_map | dict.fromkeys(("GET", "HEAD", "OPTIONS"), _VIEW)

    def has_permission(self, request: Request, view: Any) -> bool:
        """See `IsOperator`; then the permission of the view's own table."""
        return IsOperator().has_permission(request, view) and super().has_permission(request, view)
