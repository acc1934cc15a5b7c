"""The app's registration; nothing opens here: resources belong to the ASGI lifespan."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.core.checks import register

from resource_server.checks import check_settings


class ResourceServerConfig(AppConfig):
    """The inference gateway's app."""

    name = "resource_server"
    default = True
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        register(check_settings)


class GatewayAdminConfig(admin_apps.AdminConfig):
    """Django's admin with our own site, whose door is the role."""

    default = False
    default_site = "resource_server.sign_in.admin_site.GatewayAdminSite"
