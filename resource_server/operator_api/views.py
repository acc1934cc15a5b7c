"""The catalogue for operators' scripts and browsers: Django REST framework, staff only."""

from copy import copy
from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import models
from rest_framework import serializers, viewsets
from rest_framework.permissions import DjangoModelPermissions, IsAdminUser
from rest_framework.routers import DefaultRouter

from resource_server.models import Cluster, Endpoint, FederatedEndpoint


class RowPermissions(DjangoModelPermissions):
    """What the person may do in the admin pages, they may do here: to view needs a permission as well."""

    perms_map = DjangoModelPermissions.perms_map | {
        method: ["%(app_label)s.view_%(model_name)s"] for method in ("GET", "HEAD")
    }


class RowSerializer(serializers.ModelSerializer[Any]):
    """Runs the model's own checks, which fixtures and the admin pass as well, and names the field at fault."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Check the row as the whole that a partial update makes; keep the values as the checks made them."""
        row = self.Meta.model() if self.instance is None else copy(self.instance)
        for name, value in attrs.items():
            setattr(row, name, value)
        try:
            row.full_clean(validate_unique=False)
        except DjangoValidationError as exc:
            raise serializers.ValidationError(exc.message_dict) from exc
        return {name: getattr(row, name) for name in attrs}

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


PERMISSIONS = (IsAdminUser, RowPermissions)


class ClusterViewSet(viewsets.ModelViewSet[Cluster]):
    """Clusters."""

    queryset = Cluster.objects.all()
    permission_classes = PERMISSIONS
    serializer_class = ClusterSerializer


class EndpointViewSet(viewsets.ModelViewSet[Endpoint]):
    """Endpoints."""

    queryset = Endpoint.objects.all()
    permission_classes = PERMISSIONS
    serializer_class = EndpointSerializer


class FederatedEndpointViewSet(viewsets.ModelViewSet[FederatedEndpoint]):
    """Federated endpoints."""

    queryset = FederatedEndpoint.objects.all()
    permission_classes = PERMISSIONS
    serializer_class = FederatedEndpointSerializer


router = DefaultRouter()
router.register("clusters", ClusterViewSet)
router.register("endpoints", EndpointViewSet)
router.register("federated-endpoints", FederatedEndpointViewSet)
