"""Signing in with Globus, over HTTP from the button to the page and back."""

from tests.people import Browser
from tests.personas import ALICE


def test_sign_in_ends_where_it_was_asked_for(browser: Browser) -> None:
    page = browser.sign_in(ALICE, "/resource_server/admin/")
    assert page.status_code == 200, page.text
    assert page.url == f"{browser.origin}/resource_server/admin/"
    assert "alice@site.example.org" in page.text or "Alice" in page.text or "alice" in page.text
