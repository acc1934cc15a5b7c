"""People and Globus clients, keyed by their Globus identity."""

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models

from resource_server.domain.roles import Role


class User(AbstractUser):
    """A Globus identity that has called, or an operator who signs in to the admin pages."""

    role: Role | None = None
    """Of a person who came by Globus, on the object of one request and nowhere else: groups decide, not the row."""

    sub = models.UUIDField(unique=True, default=uuid.uuid4, help_text="Globus identity UUID.")
    role_at_sign_in = models.CharField(max_length=20, blank=True, default="", editable=False)
    """To be shown to operators; nothing is decided by it."""
