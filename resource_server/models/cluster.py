"""Clusters: HPC systems, with what holds for everything on them."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.signals import pre_save

from resource_server.models.fields import (
    CatalogueUUIDField,
    DomainsField,
    GlobusGroupsField,
    InstantField,
    PathNameField,
)


class Cluster(models.Model):
    """One cluster. A cluster that no row describes works with the defaults below."""

    name = PathNameField(max_length=100, unique=True)
    description = models.TextField(blank=True, default="")
    status_endpoint_uuid = CatalogueUUIDField(null=True, blank=True)
    status_function_uuid = CatalogueUUIDField(null=True, blank=True)
    allowed_globus_groups = GlobusGroupsField(blank=True, default=list)
    allowed_domains = DomainsField(blank=True, default=list)
    maintenance = models.BooleanField(
        default=False, help_text="In maintenance from now on: until its end, if it has one."
    )
    maintenance_from = InstantField(null=True, blank=True, help_text="Maintenance begins by itself at this time.")
    maintenance_until = InstantField(null=True, blank=True, help_text="Maintenance ends by itself at this time.")
    maintenance_notice = models.TextField(blank=True, default="", help_text="What clients read, in public.")

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return str(self.name)

    def clean(self) -> None:
        """Refuse a window that ends before it begins."""
        begins_at, ends_at = self.maintenance_from, self.maintenance_until
        if begins_at is not None and ends_at is not None and ends_at <= begins_at:
            raise ValidationError({"maintenance_until": "maintenance_until: is not after maintenance_from"})


def _check_row(instance: Cluster, **_signal: Any) -> None:
    instance.clean()


pre_save.connect(_check_row, sender=Cluster)  # `loaddata` calls no `clean()`
