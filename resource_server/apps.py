"""The app's registration; nothing opens here: resources belong to the ASGI lifespan."""

from django.apps import AppConfig


class ResourceServerConfig(AppConfig):
    """The inference gateway's app."""

    name = "resource_server"
    default_auto_field = "django.db.models.BigAutoField"
