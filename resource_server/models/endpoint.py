"""Endpoints: this model, by this framework, on this cluster."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.signals import pre_save

from resource_server.domain.targets import TargetInvalid, parse_target
from resource_server.models.fields import (
    CatalogueUUIDField,
    DerivedSlugField,
    GlobusGroupsField,
    PathNameField,
    endpoint_slug,
)

_TARGET_FIELDS = ("cluster", "framework", "model", "endpoint_slug", "allowed_globus_groups", "backend", "api_port")


def _slug(row: "Endpoint") -> str:
    return endpoint_slug(row.cluster, row.framework, row.model)


def _check_row(instance: "Endpoint", **_signal: Any) -> None:
    instance.clean()


class BackendSettingsField(models.JSONField):
    """Further fields of the row's target (`domain.targets`), such as ``relay``, ``base_url`` or ``caps``."""

    def to_python(self, value: object) -> object:
        if not isinstance(value, dict):
            raise ValidationError(f"{self.name}: is a JSON object of further target fields")
        if clash := sorted(set(value) & set(_TARGET_FIELDS)):
            raise ValidationError(f"{self.name}: {', '.join(clash)} have columns of their own, set them there")
        return value

    def contribute_to_class(self, cls: type[models.Model], name: str, private_only: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's signature
        """Have every row checked as a whole: `loaddata` calls no `clean()`, and no single field sees the others."""
        super().contribute_to_class(cls, name, private_only)
        pre_save.connect(_check_row, sender=cls)


class Endpoint(models.Model):
    """One catalogue row for the cluster path; where a federated target has the same key, both rules hold."""

    endpoint_slug = DerivedSlugField(max_length=300, unique=True, blank=True, default="", derive=_slug)
    cluster = PathNameField(max_length=100)
    framework = PathNameField(max_length=100)
    model = models.CharField(max_length=300)
    endpoint_uuid = CatalogueUUIDField(null=True, blank=True)
    function_uuid = CatalogueUUIDField(null=True, blank=True)
    batch_endpoint_uuid = CatalogueUUIDField(null=True, blank=True)
    batch_function_uuid = CatalogueUUIDField(null=True, blank=True)
    api_port = models.PositiveIntegerField(default=8000)
    allowed_globus_groups = GlobusGroupsField(blank=True, default=list)
    backend = models.CharField(max_length=30, default="globus_compute")
    backend_settings = BackendSettingsField(blank=True, default=dict)

    class Meta:
        ordering = ("cluster", "framework", "model")
        constraints = (models.UniqueConstraint(fields=("cluster", "framework", "model"), name="one_endpoint_per_key"),)

    def __str__(self) -> str:
        return f"{self.cluster}/{self.framework}/{self.model}"

    def clean(self) -> None:
        """Refuse a row that makes no target, naming the field and the fix."""
        try:
            parse_target(self.target_document())
        except TargetInvalid as exc:
            raise ValidationError(exc.problems) from exc

    def target_document(self) -> dict[str, object]:
        """The row as the JSON object of a target."""
        document: dict[str, object] = {name: getattr(self, name) for name in _TARGET_FIELDS}
        if self.backend == "globus_compute":
            if self.endpoint_uuid:
                document["endpoint_uuid"] = self.endpoint_uuid
            if self.function_uuid:
                document["function_uuid"] = self.function_uuid
        else:
            del document["api_port"]
        return {**document, **self.backend_settings}
