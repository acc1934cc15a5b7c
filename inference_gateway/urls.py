"""The project's URLs. API routes are dispatched before Django's middleware (`inference_gateway.asgi`)."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("resource_server/admin/", admin.site.urls),
    path("resource_server/operator/", include("resource_server.operator_api.urls")),
    path("resource_server/ui/", include("resource_server.ui.urls")),
    path("", include("resource_server.sign_in.urls")),
    path("resource_server/", include("resource_server.urls")),
]
