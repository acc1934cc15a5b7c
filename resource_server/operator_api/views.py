"""The catalogue for operators' scripts and browsers: Django REST framework, staff only."""

from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import models
from rest_framework import serializers, viewsets
from rest_framework.routers import DefaultRouter

from resource_server.models import Cluster, Endpoint, FederatedEndpoint


class RowSerializer(serializers.ModelSerializer[Any]):
    """Runs the model's own checks, which fixtures and the admin pass as well, and names the field at fault."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        row = self.Meta.model(**{**self._current(), **attrs})
        try:
            row.full_clean(validate_unique=False)
        except DjangoValidationError as exc:
            raise serializers.ValidationError(exc.message_dict) from exc
        return attrs

    def _current(self) -> dict[str, Any]:
        """The stored values, so that a partial update is checked as the whole that it makes."""
        if self.instance is None:
            return {}
        return {field.attname: getattr(self.instance, field.attname) for field in self.Meta.model._meta.concrete_fields}

    class Meta:
        model: type[models.Model] = Cluster
        fields = "__all__"


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


class ClusterViewSet(viewsets.ModelViewSet[Cluster]):
    """Clusters."""

    queryset = Cluster.objects.all()
    serializer_class = ClusterSerializer


class EndpointViewSet(viewsets.ModelViewSet[Endpoint]):
    """Endpoints."""

    queryset = Endpoint.objects.all()
    serializer_class = EndpointSerializer


class FederatedEndpointViewSet(viewsets.ModelViewSet[FederatedEndpoint]):
    """Federated endpoints."""

    queryset = FederatedEndpoint.objects.all()
    serializer_class = FederatedEndpointSerializer


router = DefaultRouter()
router.register("clusters", ClusterViewSet)
router.register("endpoints", EndpointViewSet)
router.register("federated-endpoints", FederatedEndpointViewSet)
