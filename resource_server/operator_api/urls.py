"""The operator API's URLs, below ``/resource_server/operator/``; a slash at the end is optional."""

from django.http import Http404
from django.urls import path, re_path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from resource_server.operator_api.base import OperatorView
from resource_server.operator_api.catalogue import ClusterViewSet, EndpointViewSet, FederatedEndpointViewSet
from resource_server.operator_api.maintenance import MaintenanceViewSet
from resource_server.operator_api.permissions import IsOperator
from resource_server.operator_api.records import AuditViewSet, RequestLogViewSet
from resource_server.operator_api.usage import UsageView

router = SimpleRouter()
router.trailing_slash = "/?"
router.register("clusters", ClusterViewSet)
router.register("endpoints", EndpointViewSet)
router.register("federated-endpoints", FederatedEndpointViewSet)
router.register("maintenance-windows", MaintenanceViewSet, basename="maintenance-window")
router.register("request-logs", RequestLogViewSet)
router.register("audit", AuditViewSet)


class RootView(OperatorView):
    """Where to begin."""

    purpose = "The operator API (docs/operator-api.md)."
    permission_classes = (IsOperator,)

    def get(self, request: Request) -> Response:
        """The address of every list."""
        names = [prefix for prefix, _, _ in router.registry] + ["usage"]
        return Response({name: request.build_absolute_uri(f"{name}/") for name in names})


class NowhereView(OperatorView):
    """Every other address, so that it answers in the envelope, and only to those who may know."""

    purpose = "There is nothing here."
    permission_classes = (IsOperator,)

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        """Let in whom the permissions let in, and tell them."""
        super().initial(request, *args, **kwargs)
        raise Http404


urlpatterns = [
    path("", RootView.as_view(), name="operator-root"),
    re_path(r"^usage/?$", UsageView.as_view(), name="usage"),
    *router.urls,
    re_path(r"^.+$", NowhereView.as_view(), name="operator-nowhere"),
]
