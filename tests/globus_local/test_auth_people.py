"""What Auth's own API tells: userinfo, identities, providers, policies, clients, consents; and the SDK's apps on it."""

import globus_sdk
import pytest
import requests
from globus_sdk.globus_app import GlobusAppConfig
from globus_sdk.login_flows import LoginFlowManager

from .conftest import (
    ALICE_ID,
    BOB_ID,
    GATEWAY_ID,
    GATEWAY_SCOPE,
    GROUPS_SCOPE,
    NATIVE_ID,
    NO_RETRIES,
    PREMIUM_ID,
    ROBOT_ID,
    ROBOT_SECRET,
    SITE_ID,
    Local,
)


def auth_client(local: Local, token: str) -> globus_sdk.AuthClient:
    authorizer = globus_sdk.AccessTokenAuthorizer(token)
    return globus_sdk.AuthClient(authorizer=authorizer, base_url=local.url, retry_config=NO_RETRIES)


@pytest.fixture
def alice(local: Local) -> globus_sdk.AuthClient:
    return auth_client(local, local.admin.issue_token("alice@site.example", "openid profile email"))


def test_userinfo_tells_the_identity_set(alice: globus_sdk.AuthClient) -> None:
    claims = alice.userinfo()

    assert (claims["sub"], claims["preferred_username"]) == (ALICE_ID, "alice@site.example")
    assert [each["sub"] for each in claims["identity_set"]] == [ALICE_ID]


def test_userinfo_needs_openid(local: Local) -> None:
    token = local.admin.issue_token("alice@site.example", "email")

    with pytest.raises(globus_sdk.AuthAPIError) as caught:
        auth_client(local, token).userinfo()

    assert caught.value.http_status == 403


def test_identities_are_found_by_id_and_by_username(alice: globus_sdk.AuthClient) -> None:
    by_id = alice.get_identities(ids=[ALICE_ID, BOB_ID, SITE_ID])
    by_name = alice.get_identities(usernames="Bob@site.example", query_params={"include": "identity_provider"})

    assert [each["username"] for each in by_id] == ["alice@site.example", "bob@site.example"]
    assert [each["id"] for each in by_name] == [BOB_ID]
    assert by_name["included"]["identity_providers"][0]["id"] == SITE_ID


def test_identity_providers_are_found_by_domain(alice: globus_sdk.AuthClient) -> None:
    (provider,) = alice.get_identity_providers(domains="site.example")

    assert (provider["id"], provider["name"]) == (SITE_ID, "The Site")


def test_policies_are_listed_and_shown(local: Local, alice: globus_sdk.AuthClient) -> None:
    policy = local.admin.add_policy(display_name="strict", high_assurance=True, authentication_assurance_timeout=3600)

    assert [each["id"] for each in alice.get_policies()] == [policy["id"]]
    assert alice.get_policy(policy["id"])["policy"]["authentication_assurance_timeout"] == 3600
    with pytest.raises(globus_sdk.AuthAPIError) as caught:
        alice.get_policy(ALICE_ID)
    assert caught.value.http_status == 404


def test_client_is_shown_without_its_secret(alice: globus_sdk.AuthClient) -> None:
    shown = alice.get_client(client_id=GATEWAY_ID)["client"]

    assert (shown["name"], shown["public_client"]) == ("gateway", False)
    assert "secret" not in str(shown)


def test_calls_without_a_token_are_401(local: Local) -> None:
    answer = requests.get(f"{local.url}/v2/api/identities?ids={ALICE_ID}", timeout=5)

    assert answer.status_code == 401
    assert answer.json()["errors"][0]["code"] == "UNAUTHORIZED"


class ScriptedLogin(LoginFlowManager):
    """Logs in as Alice, as a person in front of a browser would."""

    @classmethod
    def for_globus_app(
        cls, app_name: str, login_client: globus_sdk.AuthLoginClient, config: GlobusAppConfig
    ) -> "ScriptedLogin":
        del app_name
        return cls(login_client, request_refresh_tokens=config.request_refresh_tokens)

    def run_login_flow(
        self, auth_parameters: globus_sdk.gare.GlobusAuthorizationParameters
    ) -> globus_sdk.OAuthTokenResponse:
        url = self._get_authorize_url(auth_parameters, f"{self.login_client.base_url}/v2/web/auth-code")
        page = requests.get(f"{url}&auto_approve=alice@site.example", timeout=5)
        code = page.url.partition("code=")[2].partition("&")[0]
        return self.login_client.oauth2_exchange_code_for_tokens(code)


@pytest.fixture
def environment(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's services, pointed at the local cloud as `python -m globus_local env` says."""
    for service in ("AUTH", "GROUPS"):
        monkeypatch.setenv(f"GLOBUS_SDK_SERVICE_URL_{service}", local.url)


@pytest.mark.usefixtures("environment")
def test_user_app_logs_in_checks_consents_and_reads_groups(local: Local) -> None:
    config = GlobusAppConfig(token_storage="memory", login_flow_manager=ScriptedLogin, request_refresh_tokens=True)
    needed = f"{GATEWAY_SCOPE}[{GROUPS_SCOPE}]"
    with globus_sdk.UserApp("test", client_id=NATIVE_ID, config=config) as app:
        app.add_scope_requirements({GATEWAY_ID: [globus_sdk.Scope.parse(needed)]})
        client = globus_sdk.GroupsClient(app=app, app_scopes=[globus_sdk.Scope(GROUPS_SCOPE)])
        app.login()

        assert [group["id"] for group in client.get_my_groups()] == [PREMIUM_ID]
        assert not app.login_required()
    assert f"/v2/api/identities/{ALICE_ID}/consents" in [call["path"] for call in local.admin.read_ledger("auth")]


@pytest.mark.usefixtures("environment")
def test_client_app_gets_its_tokens_unasked(local: Local) -> None:
    local.admin.set_member(PREMIUM_ID, ROBOT_ID)
    config = GlobusAppConfig(token_storage="memory")
    with globus_sdk.ClientApp("test", client_id=ROBOT_ID, client_secret=ROBOT_SECRET, config=config) as app:
        client = globus_sdk.GroupsClient(app=app, app_scopes=[globus_sdk.Scope(GROUPS_SCOPE)])

        assert [group["id"] for group in client.get_my_groups()] == [PREMIUM_ID]
