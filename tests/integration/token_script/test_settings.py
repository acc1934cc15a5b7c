"""What the script does before it talks to Globus."""

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.integration.token_script.script import CLIENT_ID, GATEWAY_ID, Result, TokenScript


def authorize_query(result: Result) -> dict[str, list[str]]:
    address = next(line for line in result.stderr.splitlines() if "/v2/oauth2/authorize?" in line)
    return parse_qs(urlsplit(address).query)


@pytest.mark.parametrize("action", ["authenticate", "get_access_token"])
def test_gateway_unset_is_a_settings_error(script: TokenScript, action: str) -> None:
    result = script.run(action)
    assert (result.returncode, result.stdout) == (2, "")
    assert "GLOBUS_APPLICATION_ID is not set" in result.stderr


@pytest.mark.parametrize("name", ["GLOBUS_APPLICATION_ID", "CLI_AUTH_CLIENT_ID"])
def test_placeholder_is_a_settings_error_that_names_the_key(script: TokenScript, name: str) -> None:
    result = script.run("get_access_token", **({"GLOBUS_APPLICATION_ID": GATEWAY_ID} | {name: "<Your-UUID>"}))
    assert result.returncode == 2
    assert name in result.stderr
    assert "not a UUID" in result.stderr


def test_no_login_tells_how_to_log_in(script: TokenScript) -> None:
    result = script.run("get_access_token", GLOBUS_APPLICATION_ID=GATEWAY_ID)
    assert (result.returncode, result.stdout) == (3, "")
    assert "python inference-auth-token.py authenticate" in result.stderr


def test_dotenv_beside_the_script_is_read(script: TokenScript) -> None:
    script.write_dotenv(GLOBUS_APPLICATION_ID=GATEWAY_ID)
    assert script.run("get_access_token").returncode == 3


def test_environment_beats_dotenv(script: TokenScript) -> None:
    script.write_dotenv(GLOBUS_APPLICATION_ID="<Your-UUID>")
    assert script.run("get_access_token", GLOBUS_APPLICATION_ID=GATEWAY_ID).returncode == 3


def test_login_asks_for_the_gateways_scope_with_the_default_client(script: TokenScript) -> None:
    result = script.run("authenticate", GLOBUS_APPLICATION_ID=GATEWAY_ID)
    query = authorize_query(result)
    assert (result.returncode, result.stdout) == (3, "")
    assert query["client_id"] == [CLIENT_ID]
    assert f"https://auth.globus.org/scopes/{GATEWAY_ID}/action_all" in query["scope"][0].split()
    assert query["access_type"] == ["offline"]
    assert "prompt" not in query


def test_allowed_domains_become_the_sessions_required_domain(script: TokenScript) -> None:
    domains = {"CLI_ALLOWED_DOMAINS": "anl.gov, alcf.anl.gov,"}
    result = script.run("authenticate", GLOBUS_APPLICATION_ID=GATEWAY_ID, **domains)
    assert authorize_query(result)["session_required_single_domain"] == ["anl.gov,alcf.anl.gov"]


def test_force_asks_for_a_fresh_login(script: TokenScript) -> None:
    result = script.run("authenticate", "--force", GLOBUS_APPLICATION_ID=GATEWAY_ID)
    assert authorize_query(result)["prompt"] == ["login"]


def test_auth_service_can_be_moved_by_dotenv(script: TokenScript) -> None:
    script.write_dotenv(
        GLOBUS_APPLICATION_ID=GATEWAY_ID,
        GLOBUS_SDK_ENVIRONMENT="local",
        GLOBUS_SDK_SERVICE_URL_AUTH="http://127.0.0.1:9/",
    )
    assert "http://127.0.0.1:9/v2/oauth2/authorize?" in script.run("authenticate").stderr


def test_damaged_storage_is_named(script: TokenScript) -> None:
    token_dir = script.home / "tokens"
    token_dir.mkdir()
    (token_dir / "tokens.json").write_text("{", encoding="utf-8")
    result = script.run("get_access_token", GLOBUS_APPLICATION_ID=GATEWAY_ID, CLI_TOKEN_DIR=str(token_dir))
    assert (result.returncode, result.stdout) == (1, "")
    assert str(token_dir) in result.stderr


def test_no_action_prints_the_usage(script: TokenScript) -> None:
    result = script.run()
    assert result.returncode == 2
    assert "get_access_token" in result.stderr


@pytest.mark.parametrize(("environ", "opened"), [({}, True), ({"SSH_CONNECTION": "10.0.0.1 5 10.0.0.2 22"}, False)])
def test_browser_is_opened_but_not_in_a_remote_session(
    script: TokenScript, environ: dict[str, str], opened: bool
) -> None:
    browser = script.home / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {script.home}/opened\n', encoding="utf-8")
    browser.chmod(0o700)
    result = script.run("authenticate", GLOBUS_APPLICATION_ID=GATEWAY_ID, BROWSER=str(browser), **environ)
    assert "/v2/oauth2/authorize?" in result.stderr
    assert (script.home / "opened").exists() is opened
