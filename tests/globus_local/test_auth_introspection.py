import time

from .conftest import ALICE_ID, GATEWAY_ID, GATEWAY_SCOPE, NATIVE_ID, SITE_ID, Local


def test_introspect_good_token_tells_who_and_how_they_logged_in(local: Local) -> None:
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
