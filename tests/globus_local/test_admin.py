import json
import urllib.error
from typing import Any

import pytest
import requests

from globus_local.admin_client import Admin

from .conftest import ALICE_ID, GATEWAY_ID, GATEWAY_SCOPE, GROUPS_SCOPE, PREMIUM_ID, ROBOT_ID, ROBOT_SECRET, SEED, Local


def refusal(method: str, path: str, body: dict[str, Any], admin: Admin) -> tuple[int, str]:
    """Status and message of a call that the admin surface refuses."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        admin.call(method, path, body)
    with caught.value as answer:
        return answer.code, json.loads(answer.read())["message"]


def test_records_are_answered_complete(local: Local) -> None:
    client = local.admin.add_client(name="new")
    identity = local.admin.add_identity(username="dora@new.example")

    assert client["scopes"] == {"action_all": [GROUPS_SCOPE]}
    assert local.confidential(client["id"], client["secret"]).oauth2_client_credentials_tokens("openid")
    providers = {each["id"]: each for each in local.admin.call("GET", "records")["providers"]}
    assert providers[identity["provider_id"]]["domains"] == ["new.example"]


def test_seeded_records_are_listed(local: Local) -> None:
    records = local.admin.call("GET", "records")

    assert [each["name"] for each in records["groups"]] == ["premium"]
    assert {each["id"] for each in records["clients"]} == {each["id"] for each in SEED["clients"]}
    assert ROBOT_ID in {each["id"] for each in records["identities"]}


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ({"people": []}, "Unknown kind of record: people"),
        ({"identities": [{"username": "nobody"}]}, "name@domain"),
        ({"identities": [{"username": "a@b.example", "age": 3}]}, "no field 'age'"),
        ({"identities": [{"username": "a@b.example", "id": "1"}]}, "identity.id must be a UUID"),
        ({"identities": [{"username": "a@b.example", "provider_id": ALICE_ID}]}, "no provider"),
        ({"identities": [{"username": "a@b.example", "linked_ids": [PREMIUM_ID]}]}, "no identity"),
        ({"clients": [{"id": ROBOT_ID}]}, "incomplete"),
        ({"clients": [{"name": "x", "kind": "odd"}]}, "client.kind must be one of"),
        ({"clients": [{"name": "x", "redirect_uris": "http://x"}]}, "must be a list of texts"),
        ({"groups": [{"name": "x", "members": [{"identity": "nobody"}]}]}, "nobody called 'nobody'"),
        ({"groups": [{"name": "x", "members": [{"identity": ALICE_ID, "status": "odd"}]}]}, "membership.status"),
        ({"policies": [{"display_name": "x", "high_assurance": "yes"}]}, "policy.high_assurance must be a bool"),
    ],
)
def test_wrong_record_is_refused_with_the_reason(local: Local, records: dict[str, Any], message: str) -> None:
    status, told = refusal("POST", "records", records, local.admin)

    assert status == 400
    assert message in told


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "tokens", {"identity": "nobody", "scope": "openid"}),
        ("POST", "tokens", {"identity": ALICE_ID, "scope": ""}),
        ("POST", "tokens", {"identity": ALICE_ID, "scope": "openid", "expires_in": "soon"}),
        ("POST", "tokens", {"identity": ALICE_ID, "scope": "openid", "session": [{"auth_time": "now"}]}),
        ("POST", "tokens/revoke", {}),
        ("PATCH", "settings", {"skew_s": "much"}),
        ("PATCH", "settings", {"colour": 1}),
        ("PATCH", "faults/compute", {"drop_results": True}),
        ("PATCH", "faults/rate-limit", {"enabled": 1}),
        ("POST", "faults", {"action": "explode"}),
        ("POST", "faults", {"action": "status", "status": 42}),
        ("POST", "faults", {"action": "status", "remaining": 0}),
        ("POST", "faults", {"action": "delay", "delay_s": -1}),
        ("POST", "faults", {"service": "admin"}),
        ("POST", "faults", {"id": "mine"}),
    ],
)
def test_wrong_call_is_refused(local: Local, method: str, path: str, body: dict[str, Any]) -> None:
    assert refusal(method, path, body, local.admin)[0] == 400


def test_token_is_issued_to_the_client_asked_for(local: Local) -> None:
    token = local.admin.issue_token("alice@site.example", GATEWAY_SCOPE, client_id=ROBOT_ID)

    assert local.gateway.oauth2_token_introspect(token)["client_id"] == ROBOT_ID


def test_token_of_a_client_identity_is_issued_to_itself_without_a_session(local: Local) -> None:
    token = local.admin.issue_token(ROBOT_ID, GATEWAY_SCOPE)

    told = local.gateway.oauth2_token_introspect(token, include="session_info")

    assert (told["client_id"], told["session_info"]["authentications"]) == (ROBOT_ID, {})


def test_all_tokens_of_somebody_are_revoked(local: Local) -> None:
    tokens = local.admin.issue_tokens("alice@site.example", GATEWAY_SCOPE, refresh_tokens=True)
    other = local.admin.issue_token("bob@site.example", GATEWAY_SCOPE)

    local.admin.revoke_all("alice@site.example")

    told = [local.gateway.oauth2_token_introspect(token)["active"] for token in (tokens["access_token"], other)]
    assert told == [False, True]


def test_one_token_is_revoked(local: Local) -> None:
    token = local.admin.issue_token("alice@site.example", GATEWAY_SCOPE)

    local.admin.revoke(token)

    assert local.gateway.oauth2_token_introspect(token)["active"] is False


def test_reset_forgets_people_tokens_faults_and_skew(local: Local) -> None:
    token = local.admin.issue_token("alice@site.example", GATEWAY_SCOPE)
    local.admin.set(skew_s=1000.0)
    local.admin.add_fault(path_prefix="/v2/oauth2")

    local.admin.reset()
    local.admin.add(**SEED)

    assert local.gateway.oauth2_token_introspect(token)["active"] is False
    assert local.admin.call("GET", "settings")["skew_s"] == 0.0


@pytest.mark.parametrize("token", [None, "Bearer wrong", "Basic wrong"])
def test_admin_surface_needs_the_admin_token(local: Local, token: str | None) -> None:
    headers = {"Authorization": token} if token else {}

    for path in ("records", "ledger", "unknown"):
        answer = requests.get(f"{local.url}/admin/{path}", headers=headers, timeout=5)
        assert answer.status_code == 401


def test_bodies_must_be_json_objects(local: Local) -> None:
    headers = {"Authorization": f"Bearer {local.admin.admin_token}"}

    for body in ("{", "[]"):
        answer = requests.post(f"{local.url}/admin/records", body, headers=headers, timeout=5)
        assert answer.status_code == 400


def test_foreign_host_names_are_refused(local: Local) -> None:
    """A web page that points its own name at 127.0.0.1 must not get at the tokens."""
    for host in ("evil.example", "evil.example:80", "10.0.0.1", "127.0.0.1.evil.example"):
        answer = requests.get(f"{local.url}/jwk.json", headers={"Host": host}, timeout=5)
        assert answer.status_code == 421

    assert requests.get(f"{local.url}/jwk.json", headers={"Host": "localhost:1"}, timeout=5).status_code == 200


def test_ledger_names_the_caller_and_no_secret(local: Local) -> None:
    token = local.admin.issue_token("alice@site.example", GROUPS_SCOPE)
    list(local.groups(token).get_my_groups())
    local.gateway.oauth2_token_introspect(token)
    requests.get(f"{local.url}/v2/oauth2/userinfo?secret={ROBOT_SECRET}", timeout=5)

    calls = local.admin.read_ledger()

    summary = [(each["service"], each["path"], each["status"], each["identity_id"]) for each in calls]
    assert summary == [
        ("groups", "/v2/groups/my_groups", 200, ALICE_ID),
        ("auth", "/v2/oauth2/token/introspect", 200, None),
        ("auth", "/v2/oauth2/userinfo", 401, None),
    ]
    assert calls[1]["client_id"] == GATEWAY_ID
    assert not any(secret in json.dumps(calls) for secret in (token, ROBOT_SECRET, "gateway-secret"))
    assert len(local.admin.read_ledger("groups")) == 1


def test_ledger_is_cleared(local: Local) -> None:
    requests.get(f"{local.url}/jwk.json", timeout=5)

    local.admin.clear_ledger()

    assert local.admin.read_ledger() == []
