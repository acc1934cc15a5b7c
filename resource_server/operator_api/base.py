"""What every view of the operator API shares; who may ask, and how, is in the settings (`REST_FRAMEWORK`)."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from resource_server.domain.errors import InvalidValue
from resource_server.models import AuditEvent, User
from resource_server.services.audit import Actor
from resource_server.sign_in.bridge import REQUEST_ID_KEY

COMMON_PARAMETERS = frozenset({"format"})


class OperatorView(APIView):
    """Names its parameters, so that a misspelt filter is an error and not the whole list."""

    purpose = ""
    """One sentence for the page."""
    parameters: frozenset[str] = frozenset()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Let in whom the permissions let in; then refuse parameters that mean nothing."""
        super().initial(request, *args, **kwargs)
        known = self.parameters | COMMON_PARAMETERS
        for name in request.query_params:
            if name not in known:
                raise InvalidValue(
                    f"{name[:100]} is no parameter here: use {', '.join(sorted(known))}.", param=name[:100]
                )

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        """Every answer has its request id, and stays out of caches."""
        finished = super().finalize_response(request, response, *args, **kwargs)
        finished.headers["x-request-id"] = find_request_id(request)
        finished.headers["cache-control"] = "private, no-store"
        return finished

    def example(self) -> dict[str, Any]:
        """What a page proposes as the body of a new row."""
        return {}

    def get_view_description(self, html: bool = False) -> str:  # noqa: ARG002, FBT001, FBT002 - the base's signature
        """One sentence for the page."""
        return self.purpose


def find_request_id(request: Request) -> str:
    """The id that the ASGI entry gave; empty without one."""
    return str(getattr(request, "scope", {}).get(REQUEST_ID_KEY, ""))


def actor_of(request: Request) -> Actor:
    """Who makes the change, for the audit."""
    user = request.user if isinstance(request.user, User) else None
    return Actor(AuditEvent.Source.OPERATOR_API, user, request_id=find_request_id(request))
