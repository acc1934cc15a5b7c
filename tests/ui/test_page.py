"""What the status page says, and to whom."""

import re
from html import unescape

import requests

from tests.integration.people.test_content_policy import Inline, check_headers
from tests.people import Browser
from tests.personas import ALICE, BOB, CHARLIE, Persona
from tests.ui.conftest import EVIL, PAGE

LLAMA = "meta-llama/Llama-3.3-70B-Instruct"


def sign_in(browser: Browser, who: Persona) -> requests.Response:
    """The page after the sign-in."""
    page = browser.sign_in(who, onward=PAGE)
    assert page.url.endswith(PAGE), page.text[:2000]
    return page


def text_of(page: requests.Response) -> str:
    """Its words, as people read them."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page.text)))


def test_stranger_sees_what_the_public_status_says_and_how_to_sign_in(browser: Browser) -> None:
    page = browser.get(PAGE)
    text = text_of(page)
    assert page.status_code == 200
    assert set(requests.get(f"{browser.origin}/resource_server/status", timeout=30).json()["clusters"]) == {
        "polaris",
        "sophia",
        "aurora",
    }
    assert "polaris Open models 2 hot" in text
    assert "sophia Open models 1 cold" in text
    assert "aurora: now" in text
    assert "sophia: planned" in text
    assert f"{browser.origin}/resource_server/v1" in text
    assert "/login/?next=/resource_server/ui/" in page.text
    for hidden in (LLAMA, "premium", "My usage", EVIL):
        assert hidden not in text
    assert not browser.http.cookies


def test_alice_sees_her_models_states_usage_and_how_to_connect(browser: Browser) -> None:
    page = sign_in(browser, ALICE)
    text = text_of(page)
    assert f"Signed in as {ALICE.username}" in text
    assert re.search(rf"{LLAMA} chat/completions[^●]* hot answers now now", text), text
    assert re.search(r"gpt-oss-120b \S+, \S+( \S+)* cold starts with the first request", text), text
    assert "maintenance its cluster is out of service not at the moment" in text
    assert "premium/secret-1t" in text
    assert "No limits are set" in text
    assert re.search(r"openai/gpt-oss-120b \d+ \w+ \d{4} 3 1 3600 102", text), text
    assert "bobs/model" not in text
    assert "admin pages" in text


def test_bob_sees_no_premium_model_and_his_own_usage_only(browser: Browser) -> None:
    text = text_of(sign_in(browser, BOB))
    assert LLAMA in text
    assert "premium" not in text
    assert re.search(r"bobs/model \d+ \w+ \d{4} 1 0 1200 34", text), text
    assert "3600" not in text


def test_models_are_those_of_the_same_persons_token(browser: Browser) -> None:
    page = sign_in(browser, BOB)
    listed = re.findall(r'<th role="rowheader" scope="row"><code>([^<]*)</code>', page.text)
    assert set(map(unescape, listed)) - {"bobs/model"} == {
        LLAMA,
        "openai/gpt-oss-120b",
        EVIL,
        "Qwen/Qwen3-32B",
    }


def test_charlie_is_refused_and_stays_a_stranger(browser: Browser) -> None:
    refused = browser.sign_in(CHARLIE, onward=PAGE)
    assert refused.status_code == 403
    assert "My usage" not in browser.get(PAGE).text


def test_after_signing_out_the_page_is_a_strangers(browser: Browser) -> None:
    sign_in(browser, ALICE)
    browser.sign_out()
    assert ALICE.username not in browser.get(PAGE).text


def test_markup_in_the_catalogue_is_shown_as_text(browser: Browser) -> None:
    page = sign_in(browser, ALICE)
    assert EVIL in unescape(page.text)
    assert "<script>alert" not in page.text
    assert "New &lt;b&gt;cables&lt;/b&gt;" in page.text


def test_pages_hold_to_the_policy_and_stay_out_of_search_engines(browser: Browser) -> None:
    for page in (browser.get(PAGE), browser.get(f"{PAGE}nowhere"), sign_in(browser, ALICE)):
        assert Inline(page.text).found == []
        if page.status_code == 200:  # a gateway in DEBUG leaves the policy out of a 404
            check_headers(page.headers, PAGE)
        assert page.headers["X-Robots-Tag"] == "noindex, nofollow"
        assert 'name="robots" content="noindex' in page.text


def test_personal_pages_are_kept_nowhere(browser: Browser) -> None:
    assert browser.get(PAGE).headers["Cache-Control"] == "no-cache"
    page = sign_in(browser, ALICE)
    assert page.headers["Cache-Control"] == "private, no-store"
    assert "Cookie" in page.headers["Vary"]


def test_head_has_no_body_and_other_methods_are_refused(browser: Browser) -> None:
    head = browser.http.head(f"{browser.origin}{PAGE}", timeout=30)
    assert (head.status_code, head.content) == (200, b"")
    assert browser.http.put(f"{browser.origin}{PAGE}", timeout=30).status_code in {403, 405}


def test_page_is_found_without_its_last_slash(browser: Browser) -> None:
    assert browser.get(PAGE.rstrip("/")).status_code == 200


def test_unknown_address_below_is_a_small_page(browser: Browser) -> None:
    page = browser.get(f"{PAGE}<nowhere>/x")
    assert page.status_code == 404
    assert "There is no such page" in page.text
    assert f'href="{PAGE}"' in page.text
    assert page.headers["Content-Type"].startswith("text/html")


def test_files_of_the_page_are_served(browser: Browser) -> None:
    page = browser.get(PAGE)
    files = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
    assert {name.rsplit(".", 1)[1] for name in files} == {"css", "js", "svg"}
    for name in files:
        assert browser.get(name).status_code == 200, name
