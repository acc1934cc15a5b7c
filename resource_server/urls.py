"""The app's URLs, below ``/resource_server/``."""

from django.urls import path

from resource_server.api.api import api
from resource_server.api.relay import relay

urlpatterns = [
    path("relay/<str:stream_id>", relay),
    path("", api.urls),
]
