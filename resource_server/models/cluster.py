"""Clusters: HPC systems, with what holds for everything on them."""

from django.db import models

from resource_server.models.fields import CatalogueUUIDField, DomainsField, GlobusGroupsField, PathNameField


class Cluster(models.Model):
    """One cluster. A cluster that no row describes works with the defaults below."""

    name = PathNameField(max_length=100, unique=True)
    description = models.TextField(blank=True, default="")
    status_endpoint_uuid = CatalogueUUIDField(null=True, blank=True)
    status_function_uuid = CatalogueUUIDField(null=True, blank=True)
    allowed_globus_groups = GlobusGroupsField(blank=True, default=list)
    allowed_domains = DomainsField(blank=True, default=list)
    maintenance = models.BooleanField(default=False)
    maintenance_notice = models.TextField(blank=True, default="")
    maintenance_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return str(self.name)
