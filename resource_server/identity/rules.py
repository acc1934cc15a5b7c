"""The rules of the door, as functions of claims and settings. Each raises, or lets pass.

Lists of providers and groups mean *any of*; policies mean *all*. What a rule cannot see counts as no.
"""

from resource_server.domain.errors import AccessDenied, AuthenticationFailed, ReauthenticationRequired
from resource_server.identity.claims import Claims
from resource_server.identity.settings import IdentitySettings

AUTHORIZATION_REQUIRED = "AuthorizationRequired"
CONSENT_REQUIRED = "ConsentRequired"


def check_token(claims: Claims, settings: IdentitySettings, now: float) -> None:
    """The token lives (`now` in POSIX seconds) and is meant for this gateway. Raises `AuthenticationFailed`."""
    if claims.exp <= now:
        raise AuthenticationFailed("The access token has expired: get a new one.")
    if settings.application_id not in claims.aud or set(settings.scopes).isdisjoint(claims.scope.split()):
        raise AuthenticationFailed(
            f"The access token is not meant for this service: get one with the scope {settings.scopes[0]}."
        )


def check_admission(claims: Claims, settings: IdentitySettings, now: float) -> None:
    """Provider, policies and age of the login. Raises `AccessDenied`, with GARE fields where a login helps."""
    check_provider(claims, settings)
    check_policies(claims, settings)
    check_assurance(claims, settings, now)


def check_provider(claims: Claims, settings: IdentitySettings) -> None:
    """A person's session holds an authorized provider; a client identity is on the list of clients.

    Without ``AUTHORIZED_IDPS`` any person passes. A client identity has no session, so no provider vouches for it:
    it passes only by name in ``AUTHORIZED_CLIENTS`` as soon as the operator restricts either list, and freely
    where both are empty (an operator who names clients means those clients, who names providers means those people).
    """
    if claims.is_client:
        is_restricted = bool(settings.authorized_idps or settings.authorized_clients)
        if is_restricted and claims.sub not in settings.authorized_clients:
            raise AccessDenied("This Globus client identity is not authorized: ask the operators to add it.")
    elif settings.authorized_idps and claims.provider_ids.isdisjoint(settings.authorized_idps.values()):
        raise _provider_refusal(claims, settings)


def check_policies(claims: Claims, settings: IdentitySettings) -> None:
    """Every policy asked for was evaluated, and is fulfilled."""
    missing = [
        policy_id
        for policy_id in sorted(settings.policy_ids)
        if (found := claims.policy_evaluations.get(policy_id)) is None or found.evaluation is not True
    ]
    if missing:
        raise require_login(
            "Your login does not fulfil the policies of this service: log in again.",
            session_required_policies=sorted(settings.policy_ids),
        )


def check_assurance(claims: Claims, settings: IdentitySettings, now: float) -> None:
    """Some login of the session is young enough, where the site has set an age."""
    if settings.assurance_timeout_s is None or claims.is_client:
        return
    if assurance_ends_at(claims, settings, now) is None:
        raise require_login(
            "Your login is too old for this service: log in again.",
            prompt="login",
            session_required_policies=sorted(settings.policy_ids),
        )


def assurance_ends_at(claims: Claims, settings: IdentitySettings, now: float) -> float | None:
    """POSIX seconds of the next moment at which one of the session's logins ends to count; `None` if all have.

    Until then Globus's evaluation of the policies cannot change by age.
    """
    timeout_s = settings.assurance_timeout_s or 0.0
    ends = [login.auth_time + timeout_s for login in claims.session_info.authentications.values()]
    return min((end for end in ends if end > now), default=None)


def check_membership(group_ids: frozenset[str], settings: IdentitySettings) -> None:
    """The caller is in one of the groups that may use the service at all. Raises `AccessDenied`."""
    if settings.group_ids and settings.group_ids.isdisjoint(group_ids):
        raise AccessDenied("You are not a member of a Globus group that may use this service: ask to be added.")


def require_login(message: str, code: str = AUTHORIZATION_REQUIRED, **parameters: object) -> ReauthenticationRequired:
    """A refusal that a login undoes, with the fields of a Globus Auth Requirements Error.

    `parameters` as `globus_sdk.gare.GlobusAuthorizationParameters` names them; empty ones are left out.
    """
    filled = {name: value for name, value in parameters.items() if value}
    return ReauthenticationRequired(
        message, extra={"code": code, "authorization_parameters": {"session_message": message, **filled}}
    )


def _provider_refusal(claims: Claims, settings: IdentitySettings) -> ReauthenticationRequired:
    """Names the caller's own identity of a good provider where there is one, else the providers' domains."""
    authorized = set(settings.authorized_idps.values())
    linked = [who.sub for who in claims.identity_set_detail if who.identity_provider in authorized]
    domains = [name.lower() for name in settings.authorized_idps if "." in name and " " not in name]
    return require_login(
        f"Log in through one of these identity providers: {', '.join(sorted(settings.authorized_idps))}.",
        prompt="login",
        session_required_identities=linked,
        session_required_single_domain=[] if linked else domains,
    )
