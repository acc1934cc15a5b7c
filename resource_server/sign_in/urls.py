"""The URLs of signing in and out, at the root of the site: the redirect address is registered with Globus."""

from django.urls import path

from resource_server.sign_in import views
from resource_server.sign_in.globus import REDIRECT_ADDRESS

urlpatterns = [
    path("login/", views.sign_in, name="sign_in"),
    path("login/globus/", views.begin, name="sign_in_begin"),
    path(REDIRECT_ADDRESS.removeprefix("/"), views.complete, name="sign_in_complete"),
    path("sign-out/", views.sign_out, name="sign_out"),
]
