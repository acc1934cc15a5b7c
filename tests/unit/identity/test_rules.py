"""Who may come in, as a table: persona by rule to outcome."""

from collections.abc import Callable

import pytest
from globus_sdk.gare import to_gare

from resource_server.domain.errors import AuthenticationFailed, GatewayError, ReauthenticationRequired
from resource_server.identity.claims import Claims, parse_introspection
from resource_server.identity.rules import check_admission, check_membership, check_token
from tests.unit.identity.fakes import (
    ALICE,
    ALICE_ELSEWHERE,
    ARGONNE,
    CLI_APP,
    GATEWAY,
    GROUP,
    NOON,
    ORCID,
    OTHER_GROUP,
    OTHER_POLICY,
    POLICY,
    ROBOT,
    build_client_document,
    build_document,
    build_settings,
)

FULFILLED = {POLICY: {"evaluation": True}}
CHARLIE = "22222222-0000-4000-8000-000000000003"


def claims_of(document: dict[str, object]) -> Claims:
    claims = parse_introspection(document)
    assert claims is not None
    return claims


def session(**providers: str) -> dict[str, object]:
    """Logins an hour ago, one per keyword: identity suffix → provider."""
    logins = {f"{ALICE[:-1]}{n}": {"idp": idp, "auth_time": NOON - 3600} for n, idp in enumerate(providers.values())}
    return {"authentications": logins}


def outcome(check: Callable[[], None]) -> str:
    """``ok``, or the code of the refusal."""
    try:
        check()
    except GatewayError as exc:
        return exc.code
    return "ok"


PERSONAS = {
    "alice": build_document(policy_evaluations=FULFILLED),
    "alice through two": build_document(session_info=session(a=ORCID, b=ARGONNE)),
    "alice without session": build_document(session_info=None),
    "charlie": build_document(
        sub=CHARLIE, identity_set_detail=[], session_info=session(a=ORCID), policy_evaluations=FULFILLED
    ),
    "robot": build_client_document(policy_evaluations=FULFILLED),
}
ARGONNE_ONLY = {"authorized_idps": {"Argonne": ARGONNE}}
ROBOT_LISTED = {"authorized_clients": frozenset({ROBOT})}
ONE_POLICY = {"policy_ids": frozenset({POLICY})}
TWO_POLICIES = {"policy_ids": frozenset({POLICY, OTHER_POLICY})}
DENIED, REDO = "access_denied", "reauthentication_required"


@pytest.mark.parametrize(
    ("persona", "rules", "expected"),
    [
        ("alice", {}, "ok"),
        ("alice without session", {}, "ok"),
        ("charlie", {}, "ok"),
        ("robot", {}, "ok"),
        ("alice", ARGONNE_ONLY, "ok"),
        ("alice through two", ARGONNE_ONLY, "ok"),
        ("alice without session", ARGONNE_ONLY, REDO),
        ("charlie", ARGONNE_ONLY, REDO),
        ("charlie", {"authorized_idps": {"Argonne": ARGONNE, "ORCID": ORCID}}, "ok"),
        ("robot", ARGONNE_ONLY, DENIED),
        ("robot", {**ARGONNE_ONLY, **ROBOT_LISTED}, "ok"),
        ("robot", ROBOT_LISTED, "ok"),
        ("robot", {"authorized_clients": frozenset({CLI_APP})}, DENIED),
        ("robot", {"authorized_clients": frozenset({ROBOT.upper()})}, "ok"),
        ("alice", {"authorized_idps": {"Argonne": ARGONNE.upper()}}, "ok"),
        ("alice", ROBOT_LISTED, "ok"),
        ("charlie", {**ARGONNE_ONLY, "authorized_clients": frozenset({CHARLIE})}, REDO),
        ("alice", ONE_POLICY, "ok"),
        ("robot", ONE_POLICY, "ok"),
        ("alice through two", ONE_POLICY, REDO),
        ("alice", TWO_POLICIES, REDO),
    ],
)
def test_admission(persona: str, rules: dict[str, object], expected: str) -> None:
    claims, settings = claims_of(PERSONAS[persona]), build_settings(**rules)
    assert outcome(lambda: check_admission(claims, settings, NOON)) == expected


@pytest.mark.parametrize("evaluation", [False, None, "true", 1, {}, []])
def test_only_true_fulfils_a_policy(evaluation: object) -> None:
    claims = claims_of(build_document(policy_evaluations={POLICY: {"evaluation": evaluation}}))
    with pytest.raises(ReauthenticationRequired):
        check_admission(claims, build_settings(**ONE_POLICY), NOON)


@pytest.mark.parametrize(
    ("changes", "is_accepted"),
    [
        ({}, True),
        ({"aud": GATEWAY}, True),
        ({"aud": [CLI_APP, GATEWAY]}, True),
        ({"aud": [CLI_APP]}, False),
        ({"aud": []}, False),
        ({"scope": "openid profile"}, False),
        ({"scope": f"https://auth.globus.org/scopes/{GATEWAY}/action_all_else"}, False),
        ({"scope": f"openid https://auth.globus.org/scopes/{GATEWAY}/action_all"}, True),
        ({"exp": NOON + 1}, True),
        ({"exp": NOON}, False),
    ],
)
def test_token_must_live_and_be_meant_for_the_gateway(changes: dict[str, object], is_accepted: bool) -> None:
    claims = claims_of(build_document(**changes))
    if is_accepted:
        check_token(claims, build_settings(), NOON)
    else:
        with pytest.raises(AuthenticationFailed):
            check_token(claims, build_settings(), NOON)


@pytest.mark.parametrize(
    ("mine", "required", "expected"),
    [
        ({GROUP}, set(), "ok"),
        ({GROUP}, {GROUP, OTHER_GROUP}, "ok"),
        ({GROUP}, {OTHER_GROUP}, DENIED),
        (set(), {GROUP}, DENIED),
        (set(), set(), "ok"),
    ],
)
def test_membership_in_any_of_the_groups(mine: set[str], required: set[str], expected: str) -> None:
    settings = build_settings(group_ids=frozenset(required))
    assert outcome(lambda: check_membership(frozenset(mine), settings)) == expected


@pytest.mark.parametrize(
    ("document", "rules", "parameters"),
    [
        (PERSONAS["alice through two"], ONE_POLICY, {"session_required_policies": [POLICY]}),
        (PERSONAS["charlie"], ARGONNE_ONLY, {}),
        (
            PERSONAS["charlie"],
            {"authorized_idps": {"anl.gov": ARGONNE}},
            {"session_required_single_domain": ["anl.gov"]},
        ),
        (
            PERSONAS["alice"],
            {"authorized_idps": {"orcid.org": ORCID}},
            {"session_required_identities": [ALICE_ELSEWHERE]},
        ),
        (PERSONAS["alice"], {"assurance_timeout_s": 3600.0}, {"prompt": "login"}),
    ],
)
def test_refusal_that_a_login_undoes_is_a_globus_auth_requirements_error(
    document: dict[str, object], rules: dict[str, object], parameters: dict[str, object]
) -> None:
    with pytest.raises(ReauthenticationRequired) as caught:
        check_admission(claims_of(document), build_settings(**rules), NOON)
    gare = to_gare(caught.value.envelope())
    assert gare is not None
    assert gare.code == "AuthorizationRequired"
    found = gare.authorization_parameters
    assert found.session_message == caught.value.message
    assert {name: getattr(found, name) for name in parameters} == parameters
    listed = ("session_required_policies", "session_required_single_domain", "session_required_identities")
    assert {name for name in listed if getattr(found, name)} == set(parameters) - {"prompt"}


def test_login_within_the_age_passes() -> None:
    check_admission(claims_of(PERSONAS["alice"]), build_settings(assurance_timeout_s=3601.0), NOON)
