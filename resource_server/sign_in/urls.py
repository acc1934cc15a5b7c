"""The URLs of signing in and out, at the root of the site: the redirect address is registered with Globus."""

from django.urls import path

from resource_server.sign_in import views

urlpatterns = [
    path("login/", views.sign_in, name="sign_in"),
    path("sign-out/", views.sign_out, name="sign_out"),
]
