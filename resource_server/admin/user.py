"""People: who has signed in, and local accounts. Roles are shown; where groups decide, they are not edited here."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from social_django.models import UserSocialAuth

from resource_server.admin.audited import RecordingAdmin
from resource_server.models import User
from resource_server.services.audit import Action, Source, content_of, record_change
from resource_server.sign_in.callers import actor_of, role_of_account

_OF_GLOBUS = ((None, {"fields": ("username", "sub", "email", "first_name", "role_shown", "last_login", "is_active")}),)
_LOCAL = (
    (None, {"fields": ("username", "password", "role_shown", "last_login")}),
    ("What the account may do", {"fields": ("is_active", "is_staff", "is_superuser")}),
)


def is_of_globus(person: User) -> bool:
    """Whether the person comes by Globus: then Globus says who they are and what they may do."""
    return UserSocialAuth.objects.filter(user=person).exists()


@admin.register(User)
class GatewayUserAdmin(RecordingAdmin[User], UserAdmin[User]):
    """Users. An account that is closed (not active) gets no page, whatever its groups."""

    list_display = ("username", "role_shown", "is_active", "last_login")
    list_filter = ("is_active",)
    search_fields = ("username", "sub", "email")
    filter_horizontal = ()

    @admin.display(description="role")
    def role_shown(self, person: User) -> str:
        """The row's own for a local account; else what the groups gave at the last sign-in."""
        if is_of_globus(person):
            return f"{person.role_at_sign_in or 'none'} (by Globus groups, at the last sign-in)"
        return f"{role_of_account(person) or 'none'} (local account)"

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:  # noqa: ARG002 - Django's signature
        if obj is None:
            return self.add_fieldsets
        return _OF_GLOBUS if is_of_globus(obj) else _LOCAL

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:  # noqa: ARG002 - Django's signature
        shown = ("role_shown", "last_login")
        if obj is None or not is_of_globus(obj):
            return shown
        return (*shown, "username", "sub", "email", "first_name")

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002 - Django's name
        """A password for a local account only: whoever comes by Globus needs none, and gets none."""
        person = self.get_object(request, id)
        if person is not None and is_of_globus(person):
            raise PermissionDenied
        with transaction.atomic():
            response = super().user_change_password(request, id, form_url)
            if person is not None:
                before = content_of(person)
                person.refresh_from_db()
                record_change(actor_of(request, Source.ADMIN), Action.UPDATE, person, before)
        return response
