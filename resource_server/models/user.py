"""People and Globus clients, keyed by their Globus identity."""

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """A Globus identity that has called, or an operator who signs in to the admin pages."""

    sub = models.UUIDField(unique=True, default=uuid.uuid4, help_text="Globus identity UUID.")
