import time
from typing import Any

import globus_sdk
import pytest

from .conftest import (
    ALICE_ID,
    COMPUTE_SCOPE,
    GATEWAY_ID,
    GATEWAY_SCOPE,
    NATIVE_ID,
    ROBOT_ID,
    SITE_ID,
    Local,
)


def introspect(local: Local, token: str, **form: str) -> dict[str, Any]:
    """Introspection with form fields that the SDK's own method has no argument for."""
    answer = local.gateway.post("/v2/oauth2/token/introspect", data={"token": token, **form}, encoding="form")
    told: dict[str, Any] = answer.data
    return told


def test_good_token_tells_who_and_how_they_logged_in(local: Local) -> None:
    token = local.admin.issue_token("alice@site.example", GATEWAY_SCOPE)

    told = local.gateway.oauth2_token_introspect(token, include="session_info,identity_set_detail")

    assert told["active"] is True
    assert told["sub"] == ALICE_ID
    assert told["username"] == "alice@site.example"
    assert told["client_id"] == NATIVE_ID
    assert told["scope"] == GATEWAY_SCOPE
    assert told["aud"] == [GATEWAY_ID, NATIVE_ID]
    assert told["exp"] - told["iat"] == 48 * 3600
    login = told["session_info"]["authentications"][ALICE_ID]
    assert login["idp"] == SITE_ID
    assert abs(login["auth_time"] - time.time()) < 60
    assert [(each["sub"], each["identity_provider"]) for each in told["identity_set_detail"]] == [(ALICE_ID, SITE_ID)]


def test_nothing_is_included_unasked(local: Local) -> None:
    told = introspect(local, local.admin.issue_token("alice@site.example", GATEWAY_SCOPE))

    assert {"session_info", "identity_set", "identity_set_detail", "policy_evaluations"}.isdisjoint(told)


def test_linked_identities_are_in_the_set(local: Local) -> None:
    linked = local.admin.add_identity(username="alice@home.example", linked_ids=[ALICE_ID])
    token = local.admin.issue_token("alice@site.example", GATEWAY_SCOPE)

    told = introspect(local, token, include="identity_set")

    assert told["identity_set"] == [ALICE_ID, linked["id"]]


def test_client_identity_has_no_logins(local: Local) -> None:
    token = local.robot.oauth2_client_credentials_tokens(GATEWAY_SCOPE)["access_token"]

    told = introspect(local, token, include="session_info")

    assert (told["sub"], told["username"]) == (ROBOT_ID, f"{ROBOT_ID}@clients.auth.globus.org")
    assert told["session_info"]["authentications"] == {}


def test_session_may_hold_other_logins_than_the_identity_itself(local: Local) -> None:
    session = [{"identity": "bob@site.example", "auth_time": 1000, "amr": ["mfa"], "acr": "gold"}]
    token = local.admin.issue_token("alice@site.example", GATEWAY_SCOPE, session=session)

    (login,) = introspect(local, token, include="session_info")["session_info"]["authentications"].values()

    assert {name: login[name] for name in ("idp", "auth_time", "amr", "acr")} == {
        "idp": SITE_ID,
        "auth_time": 1000,
        "amr": ["mfa"],
        "acr": "gold",
    }


def test_unknown_token_is_inactive(local: Local) -> None:
    assert introspect(local, "unknown") == {"active": False}


def test_expired_token_is_inactive(local: Local) -> None:
    token = local.admin.issue_token("alice@site.example", GATEWAY_SCOPE, expires_in=60)
    assert introspect(local, token)["active"] is True

    local.admin.set(skew_s=61.0)

    assert introspect(local, token) == {"active": False}


def test_token_for_another_resource_server_is_inactive(local: Local) -> None:
    token = local.admin.issue_token("alice@site.example", COMPUTE_SCOPE)

    assert introspect(local, token) == {"active": False}


def test_client_may_introspect_its_own_tokens(local: Local) -> None:
    token = local.robot.oauth2_client_credentials_tokens(COMPUTE_SCOPE)["access_token"]

    assert local.robot.oauth2_token_introspect(token)["aud"] == ["funcx_service", ROBOT_ID]


def test_wrong_secret_is_401(local: Local) -> None:
    with pytest.raises(globus_sdk.AuthAPIError) as caught:
        local.confidential(GATEWAY_ID, "wrong").oauth2_token_introspect("token")

    assert (caught.value.http_status, caught.value.code) == (401, "UNAUTHORIZED")


POLICIES: list[tuple[str, dict[str, Any], dict[str, Any], bool]] = [
    ("no rule", {}, {}, True),
    ("recent enough", {"high_assurance": True, "authentication_assurance_timeout": 60}, {"age": 50}, True),
    ("too old", {"high_assurance": True, "authentication_assurance_timeout": 60}, {"age": 70}, False),
    ("old, but no high assurance", {"authentication_assurance_timeout": 60}, {"age": 70}, True),
    ("domain included", {"domain_constraints_include": ["SITE.example"]}, {}, True),
    ("other domain included", {"domain_constraints_include": ["other.example"]}, {}, False),
    ("subdomains included", {"domain_constraints_include": ["*.example"]}, {}, True),
    ("domain excluded", {"domain_constraints_exclude": ["site.example"]}, {}, False),
    ("one factor", {"required_mfa": True}, {}, False),
    ("two factors", {"required_mfa": True}, {"amr": ["pwd", "mfa"]}, True),
]


@pytest.mark.parametrize(
    ("policy", "login", "expected"), [row[1:] for row in POLICIES], ids=[row[0] for row in POLICIES]
)
def test_policy_is_evaluated_on_the_session(
    local: Local, policy: dict[str, Any], login: dict[str, Any], *, expected: bool
) -> None:
    policy_id = local.admin.add_policy(display_name="policy", **policy)["id"]
    session = [{"auth_time": time.time() - login.get("age", 0), "amr": login.get("amr", ["pwd"])}]
    token = local.admin.issue_token("alice@site.example", GATEWAY_SCOPE, session=session)

    told = introspect(local, token, authentication_policies=policy_id)

    assert told["policy_evaluations"] == {policy_id: {"evaluation": expected}}


def test_policy_is_not_met_without_a_session(local: Local) -> None:
    policy_id = local.admin.add_policy(display_name="policy")["id"]
    token = local.robot.oauth2_client_credentials_tokens(GATEWAY_SCOPE)["access_token"]

    told = introspect(local, token, authentication_policies=policy_id)

    assert told["policy_evaluations"] == {policy_id: {"evaluation": False}}


def test_unknown_policy_is_404(local: Local) -> None:
    token = local.admin.issue_token("alice@site.example", GATEWAY_SCOPE)

    with pytest.raises(globus_sdk.AuthAPIError) as caught:
        introspect(local, token, authentication_policies="unknown")

    assert caught.value.http_status == 404
