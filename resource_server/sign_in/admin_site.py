"""The admin's door: a role, whether Globus groups or a local account's row gives it."""

from typing import Any

from django.contrib.admin import AdminSite
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode

from resource_server.domain.errors import RateLimited
from resource_server.models import User
from resource_server.services.audit import Action, Source, content_of, record_change, record_event
from resource_server.sign_in.callers import actor_of, role_of
from resource_server.sign_in.guesses import may_guess, note_failure
from resource_server.sign_in.pages import refuse


class GatewayAdminSite(AdminSite):
    """Django's admin for people with a role."""

    site_header = site_title = "Inference gateway"
    index_title = "Operations"
    login_template = "sign_in/admin_login.html"

    def has_permission(self, request: HttpRequest) -> bool:
        return role_of(request) is not None

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """To Globus, and a form for local accounts, where guesses are counted."""
        if request.method == "POST" and not may_guess(request):
            return refuse(request, RateLimited("Too many wrong passwords: try again in 15 minutes.", retry_after_s=60))
        onward = request.GET.get("next") or reverse("admin:index")
        sign_in = f"{reverse('sign_in')}?{urlencode({'next': onward})}"
        response = super().login(request, {"sign_in_address": sign_in, **(extra_context or {})})
        if request.method == "POST":
            if isinstance(request.user, User):
                record_event(actor_of(request, Source.SIGN_IN), Action.SIGN_IN, "local account")
            else:
                note_failure(request)
        return response

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """One's own password, for local accounts; that it changed is recorded."""
        before = content_of(request.user) if isinstance(request.user, User) else None
        with transaction.atomic():
            response = super().password_change(request, extra_context)
            if request.method == "POST" and isinstance(request.user, User):
                record_change(
                    actor_of(request, Source.ADMIN), Action.UPDATE, User.objects.get(pk=request.user.pk), before
                )
        return response
