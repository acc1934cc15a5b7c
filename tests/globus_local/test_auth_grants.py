import globus_sdk
import pytest

from .conftest import (
    ALICE_ID,
    COMPUTE_SCOPE,
    GATEWAY_SCOPE,
    GROUPS_SCOPE,
    NO_RETRIES,
    PREMIUM_ID,
    ROBOT_ID,
    ROBOT_SECRET,
    Local,
)


def is_active(local: Local, token: str) -> bool:
    return bool(local.gateway.oauth2_token_introspect(token)["active"])


def test_client_credentials_give_one_token_per_resource_server(local: Local) -> None:
    answer = local.robot.oauth2_client_credentials_tokens([COMPUTE_SCOPE, GATEWAY_SCOPE, "openid"])

    by_server = answer.by_resource_server
    assert {server: token["scope"] for server, token in by_server.items()} == {
        "funcx_service": COMPUTE_SCOPE,
        GATEWAY_SCOPE.split("/")[-2]: GATEWAY_SCOPE,
        "auth.globus.org": "openid",
    }
    assert answer.decode_id_token()["sub"] == ROBOT_ID


def test_client_may_authenticate_in_the_form(local: Local) -> None:
    form = {"client_id": ROBOT_ID, "client_secret": ROBOT_SECRET, "scope": GATEWAY_SCOPE}
    anonymous = globus_sdk.AuthLoginClient(base_url=local.url, retry_config=NO_RETRIES)

    answer = anonymous.oauth2_token({**form, "grant_type": "client_credentials"})
    assert is_active(local, answer["access_token"])

    with pytest.raises(globus_sdk.AuthAPIError) as caught:
        anonymous.oauth2_token({**form, "grant_type": "client_credentials", "client_secret": "wrong"})
    assert caught.value.http_status == 401


def test_native_app_has_no_client_credentials(local: Local) -> None:
    form = {"grant_type": "client_credentials", "scope": "openid", "client_id": local.native.client_id}

    with pytest.raises(globus_sdk.AuthAPIError, match="no identity of its own"):
        local.native.oauth2_token(form)


@pytest.mark.parametrize(
    "scope", ["https://auth.globus.org/scopes/unknown/all", f"{GATEWAY_SCOPE}x", "urn:x", "offline_access"]
)
def test_unknown_scope_is_refused(local: Local, scope: str) -> None:
    with pytest.raises(globus_sdk.AuthAPIError) as caught:
        local.robot.oauth2_client_credentials_tokens(scope)

    assert caught.value.http_status == 400
    assert caught.value.raw_json
    assert caught.value.raw_json["error"] == "invalid_scope"


def test_unknown_grant_type_is_refused(local: Local) -> None:
    with pytest.raises(globus_sdk.AuthAPIError) as caught:
        local.robot.oauth2_token({"grant_type": "password"})

    assert caught.value.raw_json
    assert caught.value.raw_json["error"] == "unsupported_grant_type"


def test_dependent_token_reads_the_groups_of_the_caller(local: Local) -> None:
    token = local.admin.issue_token("alice@site.example", GATEWAY_SCOPE)

    answer = local.gateway.oauth2_get_dependent_tokens(token, scope=GROUPS_SCOPE)

    groups_token = answer.by_resource_server["groups.api.globus.org"]["access_token"]
    (group,) = local.groups(groups_token).get_my_groups()
    assert group["id"] == PREMIUM_ID
    assert [(each["identity_id"], each["status"]) for each in group["my_memberships"]] == [(ALICE_ID, "active")]


def test_dependent_token_is_limited_to_what_the_scope_depends_on(local: Local) -> None:
    token = local.admin.issue_token("alice@site.example", GATEWAY_SCOPE)

    with pytest.raises(globus_sdk.AuthAPIError, match="does not allow"):
        local.gateway.oauth2_get_dependent_tokens(token, scope=COMPUTE_SCOPE)


def test_dependent_token_needs_a_good_token_of_ones_own(local: Local) -> None:
    expired = local.admin.issue_token("alice@site.example", GATEWAY_SCOPE, expires_in=-1)
    foreign = local.admin.issue_token("alice@site.example", COMPUTE_SCOPE)

    for token in (expired, foreign, "unknown"):
        with pytest.raises(globus_sdk.AuthAPIError, match="not active"):
            local.gateway.oauth2_get_dependent_tokens(token)


def test_refresh_token_gives_new_access_tokens_until_it_is_revoked(local: Local) -> None:
    tokens = local.admin.issue_tokens("alice@site.example", GATEWAY_SCOPE, refresh_tokens=True)
    refreshed = local.native.oauth2_refresh_token(tokens["refresh_token"])
    assert refreshed["access_token"] != tokens["access_token"]
    assert is_active(local, refreshed["access_token"])

    local.native.oauth2_revoke_token(tokens["refresh_token"])

    assert not is_active(local, refreshed["access_token"])
    with pytest.raises(globus_sdk.AuthAPIError, match="revoked"):
        local.native.oauth2_refresh_token(tokens["refresh_token"])


def test_refresh_token_belongs_to_its_client(local: Local) -> None:
    tokens = local.admin.issue_tokens("alice@site.example", GATEWAY_SCOPE, refresh_tokens=True)

    with pytest.raises(globus_sdk.AuthAPIError, match="unknown"):
        local.robot.oauth2_refresh_token(tokens["refresh_token"])


def test_revoked_token_is_inactive(local: Local) -> None:
    token = local.admin.issue_token("alice@site.example", GATEWAY_SCOPE)

    local.native.oauth2_revoke_token(token)

    assert not is_active(local, token)


def test_nobody_revokes_the_tokens_of_other_clients(local: Local) -> None:
    token = local.admin.issue_token("alice@site.example", GATEWAY_SCOPE)

    local.robot.oauth2_revoke_token(token)

    assert is_active(local, token)


def test_token_lifetime_is_adjustable(local: Local) -> None:
    local.admin.set(token_lifetime_s=120)

    assert local.robot.oauth2_client_credentials_tokens(GATEWAY_SCOPE)["expires_in"] == 120
