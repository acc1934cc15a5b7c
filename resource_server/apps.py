"""The app's registration; nothing opens here: resources belong to the ASGI lifespan."""

from django.apps import AppConfig
from django.core.checks import register

from resource_server.checks.rules import check_settings


class ResourceServerConfig(AppConfig):
    """The inference gateway's app."""

    name = "resource_server"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        register(check_settings)
