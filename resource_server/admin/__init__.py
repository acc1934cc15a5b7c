"""The pages for operators, in Django's admin: one file per aggregate."""

from django.contrib import admin
from django.contrib.auth.models import Group
from social_django.models import Association, Nonce, UserSocialAuth

from resource_server.admin import audit_event as audit_event
from resource_server.admin import cluster as cluster
from resource_server.admin import endpoint as endpoint
from resource_server.admin import federated_endpoint as federated_endpoint
from resource_server.admin import request_log as request_log
from resource_server.admin import user as user

# Roles come from Globus groups; what the sign-in library keeps is its own business.
admin.site.unregister((Group, Association, Nonce, UserSocialAuth))
