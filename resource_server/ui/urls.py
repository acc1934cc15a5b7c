"""The URLs below ``/resource_server/ui/``."""

from django.urls import path, re_path

from resource_server.ui import views

urlpatterns = [
    path("", views.show_status, name="status_page"),
    re_path("^.+$", views.show_nothing),
]
