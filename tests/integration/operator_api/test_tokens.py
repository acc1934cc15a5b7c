"""Tokens and browsers in front of a running gateway: the same roles by the same Globus groups."""

import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.gateway import GatewayServer
from tests.globus_cloud import GlobusCloud
from tests.people import OPERATOR_GROUP_ID, Browser, build_gateway, origin_of, register
from tests.personas import ALICE, BOB, CHARLIE, ROBOT, Persona

TIMEOUT_S = 30


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, globus_session: GlobusCloud) -> Iterator[GatewayServer]:
    folder = tmp_path_factory.mktemp("operator")
    gateway = build_gateway(folder, globus_session, GROUPS_CACHE_S="0.5", INTROSPECTION_CACHE_S="0.5")
    with gateway:
        yield gateway


@pytest.fixture
def gateway(served: GatewayServer, globus: GlobusCloud) -> Iterator[GatewayServer]:
    """The gateway; alice is an admin, bob an operator, and the others have no role."""
    yield served
    register(globus, served)


def call(gateway: GatewayServer, method: str, path: str, token: str | None, **options: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    url = f"{gateway.base_url}/operator/{path}"
    return requests.request(method, url, headers=headers | options.pop("headers", {}), timeout=TIMEOUT_S, **options)


def make_operator(globus: GlobusCloud, *who: Persona) -> None:
    members = [{"identity": each.id} for each in who]
    globus.admin.add(groups=[{"id": OPERATOR_GROUP_ID, "name": "operators", "members": members}])


def wait_for(gateway: GatewayServer, token: str, status: int) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while call(gateway, "GET", "clusters/", token).status_code != status:
        assert time.monotonic() < deadline, f"it never became {status}"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("who", "status", "code"),
    [
        (None, 401, "invalid_api_key"),
        ("made up", 401, "invalid_api_key"),
        (CHARLIE, 403, "reauthentication_required"),
        (ROBOT, 403, "access_denied"),
        (BOB, 200, None),
        (ALICE, 200, None),
    ],
)
def test_token_has_the_role_of_its_groups(
    gateway: GatewayServer, globus: GlobusCloud, who: Persona | str | None, status: int, code: str | None
) -> None:
    token = globus.issue_token(who) if isinstance(who, Persona) else who and "made-up"
    for path in ("clusters/", "request-logs/", "usage/", "audit/", "nothing/"):
        response = call(gateway, "GET", path, token)
        expected = 404 if path == "nothing/" and status == 200 else status
        assert response.status_code == expected
        assert response.headers["x-request-id"].startswith("req_")
        if code is not None:
            assert response.json()["error"]["code"] == code
            assert ("www-authenticate" in response.headers) == (status == 401)
    created = call(gateway, "POST", "clusters/", token, json={"name": f"c{uuid.uuid4().hex}"})
    assert created.status_code == (201 if status == 200 else status)


def test_program_in_the_operators_group_changes_the_catalogue_by_its_own_name(
    gateway: GatewayServer, globus: GlobusCloud
) -> None:
    make_operator(globus, ROBOT)
    token = globus.issue_token(ROBOT)
    created = call(gateway, "POST", "clusters/", token, json={"name": "by-robot"})
    assert created.status_code == 201, created.text
    [event] = call(gateway, "GET", "audit/?object_key=by-robot", token).json()["results"]
    assert (event["actor_name"], event["source"]) == (ROBOT.username, "operator_api")
    assert event["request_id"] == created.headers["x-request-id"]
    seen = created.headers["etag"]
    path = f"clusters/{created.json()['id']}/"
    assert call(gateway, "DELETE", path, token, headers={"If-Match": seen}).status_code == 204


def test_role_ends_with_the_membership_and_the_token(gateway: GatewayServer, globus: GlobusCloud) -> None:
    token = globus.issue_token(BOB)
    assert call(gateway, "GET", "clusters/", token).status_code == 200
    make_operator(globus, ROBOT)
    wait_for(gateway, token, 403)
    globus.admin.revoke(token)
    wait_for(gateway, token, 401)


def test_wrong_scheme_is_told_so(gateway: GatewayServer) -> None:
    response = call(gateway, "GET", "clusters/", None, headers={"Authorization": "Basic YTpi"})
    assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
    assert "must read 'Bearer" in response.json()["error"]["message"]


def test_browser_changes_with_the_pages_token_only_and_a_bearer_token_beats_the_session(
    gateway: GatewayServer, globus: GlobusCloud
) -> None:
    browser = Browser(origin_of(gateway))
    browser.sign_in(BOB)
    url = f"{gateway.base_url}/operator/clusters/"
    body = {"name": f"c{uuid.uuid4().hex}"}
    forged = browser.http.post(url, json=body, timeout=TIMEOUT_S)
    assert (forged.status_code, "X-CSRFToken" in forged.json()["error"]["message"]) == (403, True)
    headers = {"X-CSRFToken": browser.http.cookies["csrftoken"], "Referer": url}
    assert browser.http.post(url, json=body, headers=headers, timeout=TIMEOUT_S).status_code == 201
    roleless = {"Authorization": f"Bearer {globus.issue_token(ROBOT)}"}
    assert browser.http.get(url, headers=roleless, timeout=TIMEOUT_S).status_code == 403


def test_page_comes_under_a_policy_that_lets_no_script_stand_in_it(gateway: GatewayServer) -> None:
    browser = Browser(origin_of(gateway))
    browser.sign_in(BOB)
    url = f"{gateway.base_url}/operator/clusters/"
    page = browser.http.get(url, headers={"Accept": "text/html"}, timeout=TIMEOUT_S)
    policy = page.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert page.headers["content-type"].startswith("text/html")


def test_globus_that_is_away_is_no_refusal(gateway: GatewayServer, globus: GlobusCloud) -> None:
    token = globus.issue_token(ALICE)
    globus.admin.add_fault(service="auth", path_prefix="/v2/oauth2/token/introspect")
    response = call(gateway, "GET", "clusters/", token)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "auth_unavailable")


def test_body_is_bounded_before_anything_else(gateway: GatewayServer, tmp_path: Path) -> None:
    response = call(gateway, "POST", "clusters/", "made-up", data=b" " * (3 * 1024 * 1024))
    assert (response.status_code, response.json()["error"]["code"]) == (413, "request_too_large")
