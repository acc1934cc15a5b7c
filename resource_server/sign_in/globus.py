"""Globus Auth as social-auth-app-django's backend: OpenID Connect with state, nonce and PKCE, done by that library."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from social_core.backends.globus import GlobusOpenIdConnect
from social_django.models import DjangoStorage
from social_django.strategy import DjangoStrategy

from resource_server.domain.errors import AuthenticationFailed

REDIRECT_ADDRESS = "/complete/globus/"
"""What operators register with Globus."""


class GlobusSignIn(GlobusOpenIdConnect[HttpResponseBase]):
    """One sign-in. It asks for the gateway's own scope: the same token as for the API, and so the same rules.

    Attributes:
        browser: the request of the browser that signs in.
        token: the access token for the gateway, once `pipeline.admit` has let its owner in.
    """

    token: str = ""

    def __init__(self, strategy: Any = None, redirect_uri: str | None = None) -> None:
        """Django's authentication makes one without arguments, to ask whether it knows a person."""
        super().__init__(strategy, redirect_uri)
        self.browser: HttpRequest | None = getattr(strategy, "request", None)

    def auth_extra_arguments(self) -> dict[str, str]:
        """What the login must fulfil, so that nobody is refused for a policy that Globus was not told of."""
        policies = ",".join(settings.ENVIRONMENT.items("GLOBUS_POLICIES"))
        wanted = {"session_required_policies": policies, "prompt": "login" if self.data.get("again") else ""}
        return {name: value for name, value in wanted.items() if value}

    def user_data(self, access_token: str, *_args: Any, **_kwargs: Any) -> dict[str, Any] | None:  # noqa: ARG002 - the library's signature
        """Nothing more: the id token says who it is, and introspection says the rest."""
        return None


def build_backend(request: HttpRequest) -> GlobusSignIn:
    """The sign-in that this request begins or ends."""
    return GlobusSignIn(DjangoStrategy(DjangoStorage, request), REDIRECT_ADDRESS)


def find_gateway_token(answer: Mapping[str, Any]) -> str:
    """The access token for the gateway in an answer of the token route. Raises `AuthenticationFailed`."""
    others = answer.get("other_tokens")
    documents = [answer, *(others if isinstance(others, list) else [])]
    for document in documents:
        if isinstance(document, Mapping) and document.get("resource_server") == _application_id():
            token = document.get("access_token")
            if isinstance(token, str) and token:
                return token
    raise AuthenticationFailed("Globus gave no token for this service: sign in again, and allow what is asked for.")


def _application_id() -> str:
    return str(settings.ENVIRONMENT.text("GLOBUS_APPLICATION_ID")).lower()
