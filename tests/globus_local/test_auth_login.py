"""Logins through the authorize page, as the SDK's clients start and finish them."""

import base64
import hashlib
import re
import urllib.error
import urllib.request
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import globus_sdk
import pytest

from .conftest import (
    ALICE_ID,
    BOB_ID,
    CHARLIE_ID,
    GATEWAY_ID,
    GATEWAY_SCOPE,
    GROUPS_SCOPE,
    NATIVE_ID,
    ROBOT_ID,
    SITE_ID,
    Local,
)

WEB_APP_URL = "http://localhost:8000/complete/globus/"
LOOPBACK_URL = "http://127.0.0.1:49152/"


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


OPENER = urllib.request.build_opener(NoRedirect)


def follow(url: str, form: dict[str, str] | None = None) -> dict[str, str]:
    """What the authorize page sends back to the application."""
    data = urlencode(form).encode() if form is not None else None
    with pytest.raises(urllib.error.HTTPError) as caught:
        OPENER.open(url, data, timeout=5)
    with caught.value as answer:
        assert answer.code == 302
        query = urlsplit(answer.headers["Location"]).query
    return {name: values[0] for name, values in parse_qs(query).items()}


def read(url: str) -> str:
    with OPENER.open(url, timeout=5) as answer:
        return str(answer.read().decode())


def start_native(local: Local, scopes: list[str], **params: Any) -> tuple[globus_sdk.NativeAppAuthClient, str]:
    client = local.native
    client.oauth2_start_flow(scopes, refresh_tokens=True)
    return client, client.oauth2_get_authorize_url(**params)


def log_in(local: Local, name: str, **params: Any) -> dict[str, Any]:
    """Introspection of the gateway token that a login ends in."""
    client, url = start_native(local, [GATEWAY_SCOPE], query_params={"auto_approve": name}, **params)
    tokens = client.oauth2_exchange_code_for_tokens(follow(url)["code"])
    token = tokens.by_resource_server[GATEWAY_SCOPE.split("/")[-2]]["access_token"]
    told: dict[str, Any] = local.gateway.oauth2_token_introspect(token, include="session_info").data
    return told


def test_native_login_with_the_page_gives_tokens_of_the_chosen_person(local: Local) -> None:
    client, url = start_native(local, ["openid", "profile", "email", GATEWAY_SCOPE])
    page = read(url)
    assert "alice@site.example" in page
    action = unescape(re.findall(r'action="([^"]*)"', page)[0])

    sent_back = follow(local.url + action, {"identity": ALICE_ID})
    tokens = client.oauth2_exchange_code_for_tokens(sent_back["code"])

    claims = tokens.decode_id_token()
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert claims["at_hash"] == base64.urlsafe_b64encode(half).decode().rstrip("=")
    assert (claims["sub"], claims["aud"], claims["email"]) == (ALICE_ID, NATIVE_ID, "alice@site.example")
    assert tokens.by_resource_server["auth.globus.org"]["scope"] == "openid profile email"
    assert all(token["refresh_token"] for token in tokens.by_resource_server.values())


def test_native_login_shows_the_code_for_copying(local: Local) -> None:
    client, url = start_native(local, [GATEWAY_SCOPE], query_params={"auto_approve": "bob@site.example"})

    page = read(f"{local.url}/v2/web/auth-code?{urlencode(follow(url))}")

    code = re.findall(r'<code id="auth-code">([^<]+)</code>', page)[0]
    assert client.oauth2_exchange_code_for_tokens(code)["resource_server"] == GATEWAY_SCOPE.split("/")[-2]


def test_web_app_login_keeps_state_and_needs_the_secret(local: Local) -> None:
    client = local.gateway
    client.oauth2_start_flow(WEB_APP_URL, ["openid"], state="xyz")
    sent_back = follow(client.oauth2_get_authorize_url(query_params={"auto_approve": "alice@site.example"}))

    assert sent_back["state"] == "xyz"
    tokens = client.oauth2_exchange_code_for_tokens(sent_back["code"])
    assert tokens.decode_id_token()["preferred_username"] == "alice@site.example"
    assert tokens["other_tokens"] == []
    assert "refresh_token" not in tokens.data


def test_auto_login_setting_signs_in_without_the_page(local: Local) -> None:
    local.admin.set(auto_login="charlie@elsewhere.example")
    client, url = start_native(local, ["openid"])

    tokens = client.oauth2_exchange_code_for_tokens(follow(url)["code"])

    assert tokens.decode_id_token()["sub"] == CHARLIE_ID


def test_login_hint_puts_the_person_first(local: Local) -> None:
    _, url = start_native(local, ["openid"], query_params={"login_hint": "bob@site.example"})

    assert re.findall(r'value="([^"]+)"', read(url))[0] == BOB_ID


def test_denied_login_sends_the_error_back(local: Local) -> None:
    _, url = start_native(local, ["openid"])

    assert follow(url, {"identity": ""})["error"] == "access_denied"


def test_required_domain_hides_and_refuses_other_people(local: Local) -> None:
    client, url = start_native(local, ["openid"], session_required_single_domain="site.example")
    assert "charlie" not in read(url)

    assert follow(url, {"identity": CHARLIE_ID})["error"] == "access_denied"
    assert "code" in follow(url, {"identity": ALICE_ID})
    assert client.oauth2_get_authorize_url() != url


def test_required_domain_is_met_by_a_linked_identity(local: Local) -> None:
    linked = local.admin.add_identity(username="charlie@site.example", linked_ids=[CHARLIE_ID])

    told = log_in(local, "charlie@elsewhere.example", session_required_single_domain="site.example")

    assert told["sub"] == CHARLIE_ID
    logins = told["session_info"]["authentications"]
    assert {sub: login["idp"] for sub, login in logins.items()} == {linked["id"]: SITE_ID}


def test_required_identity_refuses_another(local: Local) -> None:
    _, url = start_native(local, ["openid"], session_required_identities=ALICE_ID)

    assert follow(url, {"identity": BOB_ID})["error"] == "access_denied"
    assert "code" in follow(url, {"identity": ALICE_ID})


def test_required_policy_decides_who_may_log_in(local: Local) -> None:
    policy = local.admin.add_policy(display_name="site", domain_constraints_include=["site.example"], required_mfa=True)

    told = log_in(local, "alice@site.example", session_required_policies=policy["id"])
    assert told["session_info"]["authentications"][ALICE_ID]["amr"] == ["pwd", "mfa"]

    _, url = start_native(local, ["openid"], session_required_policies=policy["id"])
    assert follow(url, {"identity": CHARLIE_ID})["error"] == "access_denied"


def test_brackets_add_dependent_scopes(local: Local) -> None:
    native_only = local.admin.add_client(name="service", scopes={"all": []})
    scope = f"https://auth.globus.org/scopes/{native_only['id']}/all"
    client, url = start_native(local, [f"{scope}[{GROUPS_SCOPE}]"], query_params={"auto_approve": "alice@site.example"})
    tokens = client.oauth2_exchange_code_for_tokens(follow(url)["code"])

    service = local.confidential(native_only["id"], native_only["secret"])
    dependents = service.oauth2_get_dependent_tokens(tokens["access_token"])

    assert set(dependents.by_resource_server) == {"groups.api.globus.org"}


def test_code_is_good_once(local: Local) -> None:
    client, url = start_native(local, ["openid"], query_params={"auto_approve": "alice@site.example"})
    code = follow(url)["code"]
    client.oauth2_exchange_code_for_tokens(code)

    with pytest.raises(globus_sdk.AuthAPIError, match="unknown, expired or used"):
        client.oauth2_exchange_code_for_tokens(code)


def test_code_is_for_the_application_and_the_address_it_was_sent_to(local: Local) -> None:
    def request_code() -> str:
        query = {
            "client_id": GATEWAY_ID,
            "redirect_uri": WEB_APP_URL,
            "response_type": "code",
            "scope": "openid",
            "auto_approve": "alice@site.example",
        }
        return follow(f"{local.url}/v2/oauth2/authorize?{urlencode(query)}")["code"]

    form = {"grant_type": "authorization_code", "redirect_uri": WEB_APP_URL}

    assert local.gateway.oauth2_token({**form, "code": request_code()})["access_token"]
    with pytest.raises(globus_sdk.AuthAPIError, match="unknown, expired or used"):
        local.robot.oauth2_token({**form, "code": request_code()})
    with pytest.raises(globus_sdk.AuthAPIError, match="redirect_uri"):
        local.gateway.oauth2_token({**form, "code": request_code(), "redirect_uri": f"{WEB_APP_URL}x"})


def test_client_identities_do_not_log_in(local: Local) -> None:
    _, url = start_native(local, ["openid"])

    assert ROBOT_ID not in read(url)
    assert follow(url, {"identity": ROBOT_ID})["error"] == "access_denied"


def test_code_expires(local: Local) -> None:
    client, url = start_native(local, ["openid"], query_params={"auto_approve": "alice@site.example"})
    code = follow(url)["code"]
    local.admin.set(skew_s=601.0)

    with pytest.raises(globus_sdk.AuthAPIError, match="expired"):
        client.oauth2_exchange_code_for_tokens(code)


def test_code_needs_the_verifier_of_its_flow(local: Local) -> None:
    _, url = start_native(local, ["openid"], query_params={"auto_approve": "alice@site.example"})
    thief, _ = start_native(local, ["openid"])

    with pytest.raises(globus_sdk.AuthAPIError, match="code_verifier"):
        thief.oauth2_exchange_code_for_tokens(follow(url)["code"])


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "https://auth.globus.org/scopes/unknown/all"}, "invalid_scope"),
        ({"scope": "openid[profile"}, "invalid_scope"),
        ({"scope": "openid *"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"session_required_policies": "unknown"}, "invalid_request"),
        ({"auto_approve": "nobody"}, "access_denied"),
    ],
)
def test_wrong_request_is_sent_back_as_an_error(local: Local, change: dict[str, str], error: str) -> None:
    query = {
        "client_id": NATIVE_ID,
        "redirect_uri": LOOPBACK_URL,
        "response_type": "code",
        "scope": "openid",
        "state": "kept",
        "code_challenge": "x",
        "code_challenge_method": "S256",
        "auto_approve": "alice@site.example",
    }

    sent_back = follow(f"{local.url}/v2/oauth2/authorize?{urlencode(query | change)}")

    assert (sent_back["error"], sent_back["state"]) == (error, "kept")


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "unknown"},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": "http://localhost.evil.example/"},
        {"redirect_uri": "javascript:alert(1)"},
    ],
)
def test_foreign_redirect_is_shown_as_a_page_and_never_followed(local: Local, change: dict[str, str]) -> None:
    query = {"client_id": NATIVE_ID, "redirect_uri": LOOPBACK_URL, "response_type": "code", "scope": "openid"}

    with pytest.raises(urllib.error.HTTPError) as caught:
        OPENER.open(f"{local.url}/v2/oauth2/authorize?{urlencode(query | change)}", timeout=5)

    with caught.value as answer:
        assert (answer.code, answer.headers["Location"]) == (400, None)


def test_pages_escape_what_they_show(local: Local) -> None:
    local.admin.add_identity(username="mallory@site.example", name="<script>alert(1)</script>")
    _, url = start_native(local, ["openid"])

    assert "<script>" not in read(url)
    assert "<script>" not in read(f"{local.url}/v2/web/auth-code?code=%3Cscript%3E")
