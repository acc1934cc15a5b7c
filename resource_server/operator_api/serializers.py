"""Rows as JSON objects, and back: the row's own checks decide, and name the field at fault."""

from collections.abc import Mapping
from copy import copy
from typing import Any

from django.db import models
from rest_framework import serializers

from resource_server.models import AuditEvent, Cluster, Endpoint, FederatedEndpoint, RequestLog
from resource_server.models.fields import CatalogueUUIDField
from resource_server.models.versions import version_of
from resource_server.services.row_checks import RowInvalid, check_row


class UUIDText(serializers.CharField):
    """Text, which the row's own check makes a UUID: it tells a placeholder from a typing mistake."""


class RowSerializer(serializers.ModelSerializer[Any]):
    """A row of the catalogue. `version` changes with it: ``If-Match`` takes it, in quotes."""

    serializer_field_mapping = {  # noqa: RUF012 - the base's declaration
        **serializers.ModelSerializer.serializer_field_mapping,
        CatalogueUUIDField: UUIDText,
    }
    version = serializers.SerializerMethodField()

    def get_version(self, row: models.Model) -> str:
        """The row's version."""
        return version_of(row)

    def to_internal_value(self, data: Any) -> Any:
        """The row's values. What is no field is refused: a misspelt one would be lost without a word."""
        known = self.fields.keys()
        unknown = [name for name in data if name not in known] if isinstance(data, Mapping) else []
        if unknown:
            sentence = f"is no field here, use {', '.join(known)}"
            raise serializers.ValidationError({name[:100]: [f"{name[:100]}: {sentence}"] for name in unknown[:10]})
        return self._check(super().to_internal_value(data))

    def _check(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The row as a whole, as its checks made it: PATCH changes what it names, PUT gives the rest its default.

        It comes before the library asks the database for rows of the same key, which only good values can be asked for.
        """
        row = self.Meta.model() if self.instance is None or not self.partial else copy(self.instance)
        for name, value in attrs.items():
            setattr(row, name, value)
        try:
            check_row(row)
        except RowInvalid as exc:
            raise serializers.ValidationError(exc.problems) from exc
        names = attrs if self.partial else [str(field.source) for field in self._writable_fields]
        return {name: getattr(row, name) for name in names}

    class Meta:
        model: type[models.Model] = Cluster
        fields: Any = "__all__"


class ClusterSerializer(RowSerializer):
    """Clusters."""


class EndpointSerializer(RowSerializer):
    """Endpoints."""

    class Meta(RowSerializer.Meta):
        model = Endpoint


class FederatedEndpointSerializer(RowSerializer):
    """Federated endpoints."""

    class Meta(RowSerializer.Meta):
        model = FederatedEndpoint


class RequestLogSerializer(serializers.ModelSerializer[RequestLog]):
    """One request, by its request id."""

    class Meta:
        model = RequestLog
        exclude = ("id",)


class AuditEventSerializer(serializers.ModelSerializer[AuditEvent]):
    """One change."""

    class Meta:
        model = AuditEvent
        fields = "__all__"
