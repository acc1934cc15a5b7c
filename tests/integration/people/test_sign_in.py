"""Signing in with Globus, over HTTP from the button to the page and back: who gets where, and what goes wrong."""

import re
import time
from urllib.parse import parse_qs, quote, urljoin, urlsplit

import pytest
import requests

from tests.gateway import GatewayServer
from tests.globus_cloud import GlobusCloud
from tests.people import ADMIN_GROUP_ID, OPERATOR_GROUP_ID, TIMEOUT_S, Browser, Form, origin_of
from tests.personas import ALICE, BOB, CHARLIE, GATEWAY_ID, Persona

ADMIN = "/resource_server/admin/"
CLUSTERS = f"{ADMIN}resource_server/cluster/"
USERS = f"{ADMIN}resource_server/user/"
LOG = f"{ADMIN}resource_server/requestlog/"
AUDIT = f"{ADMIN}resource_server/auditevent/"


def wait_for(browser: Browser, path: str, status: int) -> requests.Response:
    """The page once it has this status: groups are believed for half a second."""
    deadline = time.monotonic() + 20
    while (page := browser.get(path, follow=False)).status_code != status:
        assert time.monotonic() < deadline, (page.status_code, page.text)
        time.sleep(0.1)
    return page


@pytest.mark.parametrize(
    ("path", "alice", "bob"),
    [
        (ADMIN, 200, 200),
        (CLUSTERS, 200, 200),
        (f"{CLUSTERS}add/", 200, 200),
        (f"{ADMIN}resource_server/endpoint/add/", 200, 200),
        (f"{ADMIN}resource_server/federatedendpoint/add/", 200, 200),
        (LOG, 200, 200),
        (AUDIT, 200, 200),
        (USERS, 200, 200),
        (f"{USERS}add/", 200, 403),
        (f"{AUDIT}add/", 403, 403),
        ("/login/", 200, 200),
    ],
)
def test_who_sees_which_page(gateway: GatewayServer, path: str, alice: int, bob: int) -> None:
    for who, status in ((ALICE, alice), (BOB, bob)):
        browser = Browser(origin_of(gateway))
        browser.sign_in(who)
        assert browser.get(path).status_code == status, who.name
    stranger = Browser(origin_of(gateway)).get(path, follow=False)
    assert stranger.status_code == (200 if path == "/login/" else 302)


def test_person_without_a_role_signs_in_and_gets_no_admin_page(browser: Browser, globus: GlobusCloud) -> None:
    globus.admin.remove_member(OPERATOR_GROUP_ID, BOB.id)
    page = browser.sign_in(BOB)
    assert page.url == f"{browser.origin}/resource_server/ui/"
    assert "You have no role here" in browser.get("/login/").text
    assert browser.get(CLUSTERS, follow=False).status_code == 302


def test_charlie_is_refused_and_told_why(browser: Browser) -> None:
    page = browser.sign_in(CHARLIE, ADMIN)
    assert page.status_code == 403
    assert "Log in through one of these identity providers: Site" in page.text
    assert "no-store" in page.headers["Cache-Control"]
    assert browser.get(ADMIN, follow=False).status_code == 302


def test_refused_sign_in_leaves_no_token_alive_at_globus(browser: Browser, globus: GlobusCloud) -> None:
    browser.sign_in(CHARLIE)
    assert "/v2/oauth2/token/revoke" in [call["path"] for call in globus.admin.read_ledger()]


def test_sign_in_ends_where_it_was_asked_for_and_is_recorded(browser: Browser) -> None:
    page = browser.sign_in(ALICE, CLUSTERS)
    assert page.url == f"{browser.origin}{CLUSTERS}"
    events = browser.get(f"{AUDIT}?q={ALICE.username}").text
    assert "sign-in" in events


def test_denied_at_globus_is_no_sign_in(browser: Browser) -> None:
    page = browser.sign_in(Persona(name="nobody", id="", username=""))
    assert page.status_code == 403
    assert "You did not allow the sign-in" in page.text


@pytest.mark.parametrize(
    "onward", ["https://evil.example.org/", "//evil.example.org/", "javascript:alert(1)", r"/\evil.org"]
)
def test_sign_in_never_leads_to_another_site(browser: Browser, onward: str) -> None:
    assert f'value="{onward}"' not in browser.get(f"/login/?next={quote(onward)}").text
    page = browser.sign_in(ALICE, onward)
    assert page.url == f"{browser.origin}/resource_server/ui/"


def test_asking_globus_uses_state_nonce_pkce_and_the_own_scope(browser: Browser) -> None:
    browser.get("/login/")
    address = browser.post("/login/globus/", follow=False).headers["Location"]
    query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert query["code_challenge_method"] == "S256"
    assert len(query["code_challenge"]) >= 43
    assert len(query["state"]) >= 32
    assert query["nonce"]
    assert f"scopes/{GATEWAY_ID}/action_all" in query["scope"]
    assert query["redirect_uri"] == f"{browser.origin}/complete/globus/"


def test_second_try_asks_for_a_fresh_login(browser: Browser) -> None:
    browser.get("/login/")
    address = browser.post("/login/globus/", {"again": "1"}, follow=False).headers["Location"]
    assert parse_qs(urlsplit(address).query)["prompt"] == ["login"]


def test_code_of_another_browser_is_refused(gateway: GatewayServer) -> None:
    attacker, victim = Browser(origin_of(gateway)), Browser(origin_of(gateway))
    page = attacker.start_sign_in()
    action = urljoin(page.url, Form(page.text).actions[0])
    sent = attacker.http.post(action, data={"identity": ALICE.id}, timeout=TIMEOUT_S, allow_redirects=False)
    victim.start_sign_in()
    refused = victim.http.get(sent.headers["Location"], timeout=TIMEOUT_S)
    assert refused.status_code == 401
    assert "did not begin in this browser" in refused.text
    assert victim.get(ADMIN, follow=False).status_code == 302


def test_code_is_good_once(browser: Browser) -> None:
    page = browser.start_sign_in()
    action = urljoin(page.url, Form(page.text).actions[0])
    sent = browser.http.post(action, data={"identity": ALICE.id}, timeout=TIMEOUT_S, allow_redirects=False)
    assert browser.http.get(sent.headers["Location"], timeout=TIMEOUT_S).status_code == 200
    browser.http.cookies.clear()
    assert browser.http.get(sent.headers["Location"], timeout=TIMEOUT_S).status_code == 401


def test_session_key_changes_at_sign_in(browser: Browser) -> None:
    browser.start_sign_in()
    planted = browser.http.cookies["sessionid"]
    browser.sign_in(ALICE)
    assert browser.http.cookies["sessionid"] != planted
    thief = Browser(browser.origin)
    thief.http.cookies.set("sessionid", planted)
    assert thief.get(ADMIN, follow=False).status_code == 302


def test_session_cookie_is_for_the_server_alone(browser: Browser) -> None:
    browser.sign_in(ALICE)
    cookies = {cookie.name: cookie for cookie in browser.http.cookies}
    session = cookies["sessionid"]
    assert session.has_nonstandard_attr("HttpOnly")
    assert session.get_nonstandard_attr("SameSite") == "Lax"
    assert session.expires is not None
    assert session.expires - time.time() <= 3601


def test_sign_out_ends_the_session_and_the_token(browser: Browser, globus: GlobusCloud) -> None:
    browser.sign_in(ALICE)
    key = browser.http.cookies["sessionid"]
    globus.admin.clear_ledger()
    assert browser.sign_out().status_code == 200
    assert [call["path"] for call in globus.admin.read_ledger()] == ["/v2/oauth2/token/revoke"]
    browser.http.cookies.set("sessionid", key)
    assert browser.get(ADMIN, follow=False).status_code == 302


def test_changing_things_needs_the_token_of_the_form(browser: Browser) -> None:
    browser.sign_in(ALICE)
    browser.http.cookies.pop("csrftoken", None)
    for path in ("/sign-out/", "/login/globus/", f"{CLUSTERS}add/"):
        assert browser.post(path).status_code == 403, path
    assert browser.get(ADMIN, follow=False).status_code == 200


@pytest.mark.parametrize("path", ["/login/globus/", "/sign-out/"])
def test_a_link_neither_signs_in_nor_out(browser: Browser, path: str) -> None:
    assert browser.get(path).status_code == 405


def test_group_removal_takes_the_pages_away(browser: Browser, globus: GlobusCloud) -> None:
    browser.sign_in(ALICE)
    assert browser.get(USERS, follow=False).status_code == 200
    globus.admin.remove_member(ADMIN_GROUP_ID, ALICE.id)
    wait_for(browser, USERS, 302)
    assert "You have no role here" in browser.get("/login/").text


def test_revoked_token_ends_the_session(browser: Browser, globus: GlobusCloud) -> None:
    browser.sign_in(ALICE)
    globus.admin.revoke_all(ALICE.id, GATEWAY_ID)  # this worker's other tests go on with alice's other tokens
    page = wait_for(browser, CLUSTERS, 302)
    assert page.headers["Location"].startswith("/login/?ended=1&next=")
    assert "Your session has ended" in browser.get(page.headers["Location"]).text


def test_while_globus_is_down_sessions_last_and_nobody_new_comes_in(browser: Browser, globus: GlobusCloud) -> None:
    browser.sign_in(ALICE)
    stranger = Browser(browser.origin)
    page = stranger.start_sign_in()
    action = urljoin(page.url, Form(page.text).actions[0])
    sent = stranger.http.post(action, data={"identity": BOB.id}, timeout=TIMEOUT_S, allow_redirects=False)
    globus.admin.add_fault("status", service="auth", status=503)
    globus.admin.add_fault("status", service="groups", status=503)
    time.sleep(1)  # what is known of alice is no longer fresh
    assert browser.get(CLUSTERS, follow=False).status_code == 200
    refused = stranger.http.get(sent.headers["Location"], timeout=TIMEOUT_S)
    assert refused.status_code == 503
    assert "Globus cannot be asked now" in refused.text
    assert stranger.get(ADMIN, follow=False).status_code == 302
    assert browser.sign_out().status_code == 200
    assert browser.get(ADMIN, follow=False).status_code == 302


def test_closed_account_gets_no_page(gateway: GatewayServer, browser: Browser) -> None:
    other = Browser(origin_of(gateway))
    other.sign_in(BOB)
    browser.sign_in(ALICE)
    listed = browser.get(f"{USERS}?q={BOB.username}").text
    change = re.findall(r'href="(/resource_server/admin/resource_server/user/\d+/change/[^"]*)"', listed)[0]
    form = Form(browser.get(change).text, "").values
    form.pop("is_active", None)
    assert browser.post(change, form).status_code == 200
    try:
        assert other.get(CLUSTERS, follow=False).status_code in {302, 403}
        page = other.sign_in(BOB)
        assert page.status_code == 403
        assert "Your account here is closed" in page.text
    finally:
        assert browser.post(change, {**form, "is_active": "on"}).status_code == 200


def test_wrong_passwords_are_counted_and_stopped(browser: Browser) -> None:
    path = f"{ADMIN}login/"
    browser.get(path)
    wrong = {"username": "root", "password": "guess"}
    pages = [browser.post(path, wrong) for _ in range(11)]
    assert [page.status_code for page in pages] == [200] * 10 + [429]
    assert "Too many wrong passwords" in pages[-1].text
    browser.sign_in(ALICE)
    audit = browser.get(f"{AUDIT}?q=local account").text
    assert "guess" not in audit
    assert "root" not in audit
