"""Who may use what: personas against rules, through HTTP."""

from collections.abc import Callable

import openai
import pytest
import requests

from tests.api.conftest import PREMIUM, Http, Stack
from tests.framework import CHAT
from tests.personas import ALICE, BOB

Clients = Callable[..., openai.OpenAI]
BODY = {"messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize("path", ["/v1", "/sophia/vllm/v1"])
@pytest.mark.parametrize(
    ("persona", "status", "code"),
    [
        ("alice", 200, None),
        ("bob", 404, "model_not_found"),
        ("robot", 404, "model_not_found"),
        ("charlie", 403, "reauthentication_required"),
        ("a-made-up-token", 401, "invalid_api_key"),
    ],
)
def test_premium_model_is_for_the_group_alone(
    stack: Stack, persona: str, status: int, code: str | None, path: str
) -> None:
    model = PREMIUM if path == "/v1" else CHAT
    headers = {"Authorization": f"Bearer {stack.tokens.get(persona, persona)}"}
    url = f"{stack.gateway.base_url}{path}/chat/completions"
    response = requests.post(url, json={**BODY, "model": model}, headers=headers, timeout=20)
    assert response.status_code == status
    assert (response.json().get("error") or {}).get("code") == code


def test_hidden_and_unknown_models_read_the_same(stack: Stack) -> None:
    headers = {"Authorization": f"Bearer {stack.tokens['bob']}"}
    url = f"{stack.gateway.base_url}/v1/chat/completions"
    hidden, unknown = (
        requests.post(url, json={**BODY, "model": model}, headers=headers, timeout=20).json()["error"]
        for model in (PREMIUM, "test/nothing")
    )
    assert hidden["message"].replace(PREMIUM, "X") == unknown["message"].replace("test/nothing", "X")


def test_models_lists_what_the_caller_can_call_and_nothing_else(client_for: Clients) -> None:
    alice = {model.id for model in client_for("alice").models.list()}
    bob = {model.id for model in client_for("bob").models.list()}
    assert alice - bob == {PREMIUM}
    assert client_for("bob").models.retrieve(CHAT).id == CHAT
    with pytest.raises(openai.NotFoundError):
        client_for("bob").models.retrieve(PREMIUM)


def test_list_endpoints_keeps_the_documented_shape(http: Http, stack: Stack) -> None:
    clusters = http.get("/list-endpoints").json()["clusters"]
    assert clusters["polaris"]["base_url"] == "/resource_server/polaris"
    assert CHAT in clusters["polaris"]["frameworks"]["vllm"]["models"]
    assert set(clusters["polaris"]["frameworks"]["vllm"]["endpoints"]) == {"chat", "completion", "embedding"}
    headers = {"Authorization": f"Bearer {stack.tokens['bob']}"}
    assert "sophia" not in http.get("/list-endpoints", headers=headers).json()["clusters"]


def test_whoami_names_the_identity(http: Http) -> None:
    document = http.get("/whoami").json()
    assert (document["id"], document["username"], document["kind"]) == (ALICE.id, ALICE.username, "person")


def test_revoked_token_is_refused_within_the_bound(stack: Stack) -> None:
    token = stack.globus.issue_token(BOB)
    headers = {"Authorization": f"Bearer {token}"}
    stack.globus.admin.revoke(token)
    response = requests.get(f"{stack.gateway.base_url}/whoami", headers=headers, timeout=20)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("header", [None, "", "Basic abc", "Bearer", "Bearer a b"])
def test_malformed_authorization_is_401_that_says_what_to_send(stack: Stack, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    response = requests.get(f"{stack.gateway.base_url}/v1/models", headers=headers, timeout=20)
    assert response.status_code == 401
    assert "Bearer" in response.json()["error"]["message"]
