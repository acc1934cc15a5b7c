from .conftest import ALICE_ID, COMPUTE_SCOPE, GATEWAY_SCOPE, GROUPS_SCOPE, PREMIUM_ID, ROBOT_ID, Local


def test_client_credentials_give_one_token_per_resource_server(local: Local) -> None:
    answer = local.robot.oauth2_client_credentials_tokens([COMPUTE_SCOPE, GATEWAY_SCOPE, "openid"])

    by_server = answer.by_resource_server
    assert {server: token["scope"] for server, token in by_server.items()} == {
        "funcx_service": COMPUTE_SCOPE,
        GATEWAY_SCOPE.split("/")[-2]: GATEWAY_SCOPE,
        "auth.globus.org": "openid",
    }
    assert answer.decode_id_token()["sub"] == ROBOT_ID


def test_dependent_token_reads_the_groups_of_the_caller(local: Local) -> None:
    token = local.admin.issue_token("alice@site.example", GATEWAY_SCOPE)

    answer = local.gateway.oauth2_get_dependent_tokens(token, scope=GROUPS_SCOPE)

    groups_token = answer.by_resource_server["groups.api.globus.org"]["access_token"]
    (group,) = local.groups(groups_token).get_my_groups()
    assert group["id"] == PREMIUM_ID
    assert [(each["identity_id"], each["status"]) for each in group["my_memberships"]] == [(ALICE_ID, "active")]
