"""The whole way against Globus's stand-in: log in, get tokens, have them renewed, lose them."""

import json
from pathlib import Path
from typing import Any

import globus_sdk

from globus_local.admin_client import Admin
from tests.integration.token_script.browser import log_in
from tests.integration.token_script.script import CLIENT_ID, GATEWAY_ID, GATEWAY_SECRET, Result, TokenScript

ALICE, BOB, CAROL = "alice@lab.example.org", "bob@lab.example.org", "carol@elsewhere.example.com"


def introspect(cloud: Admin, token: str) -> dict[str, Any]:
    """What the gateway learns of a token."""
    with globus_sdk.ConfidentialAppAuthClient(GATEWAY_ID, GATEWAY_SECRET, base_url=cloud.base_url) as client:
        return dict(client.oauth2_token_introspect(token).data)


def get_token(script: TokenScript, **environ: str) -> str:
    result = script.run("get_access_token", **environ)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("\n") == 1
    return result.stdout.strip()


def assert_login_needed(result: Result) -> None:
    assert (result.returncode, result.stdout) == (3, "")
    assert "python inference-auth-token.py authenticate" in result.stderr


def change_stored(path: Path, **changes: object) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    document["data"]["DEFAULT"][GATEWAY_ID].update(changes)
    path.write_text(json.dumps(document), encoding="utf-8")


def test_login_gives_tokens_that_the_gateway_accepts(local_script: TokenScript, cloud: Admin) -> None:
    login = log_in(local_script, ALICE)
    assert (login.returncode, login.stdout) == (0, ""), login.stderr
    claims = introspect(cloud, get_token(local_script))
    assert claims["active"]
    assert claims["username"] == ALICE
    assert claims["client_id"] == CLIENT_ID
    assert claims["scope"] == f"https://auth.globus.org/scopes/{GATEWAY_ID}/action_all"


def test_tokens_are_their_owners_alone(local_script: TokenScript) -> None:
    log_in(local_script, ALICE)
    path = local_script.token_file()
    assert path.stat().st_mode & 0o777 == 0o600
    for folder in [*path.parents][: len(path.relative_to(local_script.home).parts) - 1]:
        assert folder.stat().st_mode & 0o777 == 0o700, folder


def test_tokens_that_others_could_read_are_closed(local_script: TokenScript) -> None:
    log_in(local_script, ALICE)
    local_script.token_file().chmod(0o644)
    get_token(local_script)
    assert local_script.token_file().stat().st_mode & 0o777 == 0o600


def test_app_name_and_folder_of_the_settings_are_used(local_script: TokenScript) -> None:
    log_in(local_script, ALICE, CLI_APP_NAME="My App")
    assert local_script.token_file().parent.name == "my-app"
    own = {"CLI_TOKEN_DIR": "~/mine"}
    assert_login_needed(local_script.run("get_access_token", **own))
    log_in(local_script, BOB, **own)
    assert get_token(local_script, **own) != get_token(local_script, CLI_APP_NAME="My App")
    assert (local_script.home / "mine" / "tokens.json").stat().st_mode & 0o777 == 0o600
    assert (local_script.home / "mine").stat().st_mode & 0o777 == 0o700


def test_good_login_is_kept(local_script: TokenScript) -> None:
    log_in(local_script, ALICE)
    token = get_token(local_script)
    again = local_script.run("authenticate")
    assert again.returncode == 0
    assert "logged in already" in again.stderr
    assert get_token(local_script) == token


def test_expired_token_is_renewed_without_the_user(local_script: TokenScript, cloud: Admin) -> None:
    log_in(local_script, ALICE)
    token = get_token(local_script)
    change_stored(local_script.token_file(), expires_at_seconds=1)
    renewed = get_token(local_script)
    assert renewed != token
    assert introspect(cloud, renewed)["username"] == ALICE
    assert get_token(local_script) == renewed


def test_refused_renewal_asks_for_a_login_which_helps(local_script: TokenScript, cloud: Admin) -> None:
    log_in(local_script, ALICE)
    cloud.revoke_all(ALICE)
    change_stored(local_script.token_file(), expires_at_seconds=1)
    assert_login_needed(local_script.run("get_access_token"))
    assert log_in(local_script, BOB).returncode == 0
    assert introspect(cloud, get_token(local_script))["username"] == BOB


def test_force_changes_the_account_and_revokes_the_old_tokens(local_script: TokenScript, cloud: Admin) -> None:
    log_in(local_script, ALICE)
    old = get_token(local_script)
    login = log_in(local_script, BOB, "--force")
    assert login.returncode == 0, login.stderr
    assert introspect(cloud, get_token(local_script))["username"] == BOB
    assert introspect(cloud, old) == {"active": False}


def test_other_gateway_with_another_account_is_refused_until_forced(local_script: TokenScript, cloud: Admin) -> None:
    other = cloud.add_client(name="other gateway")["id"]
    log_in(local_script, ALICE)
    login = log_in(local_script, BOB, GLOBUS_APPLICATION_ID=other)
    assert login.returncode == 3
    assert "--force" in login.stderr
    assert log_in(local_script, BOB, "--force", GLOBUS_APPLICATION_ID=other).returncode == 0
    assert get_token(local_script, GLOBUS_APPLICATION_ID=other)


def test_login_from_a_foreign_domain_gets_no_tokens(local_script: TokenScript) -> None:
    login = log_in(local_script, CAROL, CLI_ALLOWED_DOMAINS="lab.example.org")
    assert_login_needed(login)
    assert_login_needed(local_script.run("get_access_token"))


def test_wrong_code_is_reported(local_script: TokenScript) -> None:
    with local_script.start("authenticate") as process:
        _, stderr = process.communicate("no-such-code\n", timeout=30)
    assert process.returncode == 3
    assert "did not succeed" in stderr


def test_unreachable_auth_is_no_lost_login(local_script: TokenScript, cloud: Admin) -> None:
    log_in(local_script, ALICE)
    change_stored(local_script.token_file(), expires_at_seconds=1)
    fault = cloud.add_fault(service="auth", status=503)
    result = local_script.run("get_access_token")
    assert (result.returncode, result.stdout) == (1, "")
    assert "503" in result.stderr
    cloud.remove_fault(fault)
    assert get_token(local_script)
