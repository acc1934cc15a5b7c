"""Federated endpoints: one public model name over many places."""

from django.db import models
from django.utils.text import slugify

from resource_server.models.fields import DerivedSlugField, TargetsField


def _slug(row: "FederatedEndpoint") -> str:
    return slugify(row.name) or slugify(row.name, allow_unicode=True)  # a name without one Latin letter


class FederatedEndpoint(models.Model):
    """One public model name and its targets, in the operator's order."""

    name = models.CharField(max_length=200)
    slug = DerivedSlugField(max_length=200, unique=True, blank=True, default="", derive=_slug)
    target_model_name = models.CharField(max_length=300, unique=True)
    description = models.TextField(blank=True, default="")
    targets = TargetsField(default=list)

    class Meta:
        ordering = ("target_model_name",)

    def __str__(self) -> str:
        return self.name
