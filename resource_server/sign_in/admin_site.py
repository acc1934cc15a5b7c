"""The admin's door: a role, whether Globus groups or a local account's row gives it."""

from django.contrib.admin import AdminSite
from django.http import HttpRequest

from resource_server.sign_in.callers import role_of


class GatewayAdminSite(AdminSite):
    """Django's admin for people with a role."""

    site_header = site_title = "Inference gateway"
    index_title = "Operations"

    def has_permission(self, request: HttpRequest) -> bool:
        return role_of(request) is not None
