"""Globus Auth's introspection document: parsed once, typed from then on.

Shape: https://docs.globus.org/api/auth/reference/#token-introspect with ``session_info``, ``identity_set_detail`` and
``policy_evaluations``.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from resource_server.domain.principal import Principal
from resource_server.domain.targets import UUIDText
from resource_server.identity.base import AnswerUnusable

_MAX_DISPLAY_CHARS = 256


class ClaimsInvalid(AnswerUnusable):
    """Globus answered with something that is no introspection document: no verdict."""


class _Claims(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class LinkedIdentity(_Claims):
    """One of the identities that the person has linked."""

    sub: UUIDText
    username: str | None = None
    identity_provider: UUIDText | None = None


class Authentication(_Claims):
    """One login of the session; `auth_time` in POSIX seconds."""

    idp: UUIDText
    auth_time: Annotated[float, Field(allow_inf_nan=False)]


class SessionInfo(_Claims):
    """The logins behind the token, by identity."""

    authentications: Annotated[dict[str, Authentication], BeforeValidator(lambda value: value or {})] = {}


class PolicyEvaluation(_Claims):
    """What Globus says about one policy. Anything but JSON's ``true`` is no."""

    evaluation: object = None


class Claims(_Claims):
    """What Globus Auth knows about an active token. Times in POSIX seconds."""

    active: Literal[True]
    sub: UUIDText
    client_id: UUIDText
    exp: Annotated[float, Field(allow_inf_nan=False)]
    aud: Annotated[tuple[str, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)]
    scope: str
    username: str | None = None
    name: str | None = None
    email: str | None = None
    identity_set_detail: Annotated[tuple[LinkedIdentity, ...], BeforeValidator(lambda value: value or ())] = ()
    session_info: Annotated[SessionInfo, BeforeValidator(lambda value: value or {})] = SessionInfo()
    policy_evaluations: Annotated[dict[str, PolicyEvaluation], BeforeValidator(lambda value: value or {})] = {}

    @property
    def is_client(self) -> bool:
        """Whether the token stands for a Globus app itself: only then are subject and app the same."""
        return self.sub == self.client_id

    @property
    def provider_ids(self) -> frozenset[str]:
        """Identity providers of the session."""
        return frozenset(login.idp for login in self.session_info.authentications.values())


def parse_introspection(document: object) -> Claims | None:
    """The claims of an active token, `None` for an inactive one. Raises `ClaimsInvalid`."""
    if not isinstance(document, dict) or not isinstance(document.get("active"), bool):
        raise ClaimsInvalid("the introspection's answer has no 'active'")
    if not document["active"]:
        return None
    try:
        return Claims.model_validate(document)
    except ValidationError as exc:
        fields = sorted({".".join(map(str, error["loc"])) for error in exc.errors()})
        raise ClaimsInvalid(f"the introspection's answer is malformed in: {', '.join(fields[:5])}") from None


def encode_claims(claims: Claims) -> dict[str, object]:
    """A JSON document that `parse_introspection` reads back."""
    return claims.model_dump(mode="json")


def build_principal(claims: Claims, token_hash: str) -> Principal:
    """The caller that the claims describe."""
    usernames = [claims.username, *(identity.username for identity in claims.identity_set_detail)]
    return Principal(
        sub=claims.sub,
        username=(claims.username or "")[:_MAX_DISPLAY_CHARS],
        name=(claims.name or "")[:_MAX_DISPLAY_CHARS],
        email=(claims.email or "")[:_MAX_DISPLAY_CHARS],
        client_id=claims.client_id,
        is_client=claims.is_client,
        identity_ids=frozenset({claims.sub, *(identity.sub for identity in claims.identity_set_detail)}),
        identity_provider_ids=claims.provider_ids,
        domains=frozenset(_domain(name) for name in usernames if name and "@" in name),
        token_hash=token_hash,
        expires_at=claims.exp,
    )


def _domain(username: str) -> str:
    return username.rpartition("@")[2].lower()
