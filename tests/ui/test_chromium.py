"""The status page in a real browser: on a phone, in the dark, by the keyboard, without a word on the console."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from tests.chromium import Page, opened
from tests.gateway import GatewayServer
from tests.people import origin_of
from tests.ui.conftest import PAGE, PICTURES

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

"""Where to keep pictures of the page, for the documentation; empty for nowhere."""
PHONE = {"width": 320, "height": 720, "deviceScaleFactor": 1, "mobile": True}
DESKTOP = {"width": 1200, "height": 1250, "deviceScaleFactor": 1, "mobile": False}


@pytest.fixture(scope="module")
def window() -> Iterator[Page]:
    """One browser for the file."""
    with opened() as page:
        yield page


@pytest.fixture
def page(window: Page, gateway: GatewayServer) -> Page:
    """The browser, signed in as alice, on the page."""
    tell(window, "Network.clearBrowserCookies")
    tell(window, "Emulation.setEmulatedMedia", features=[])
    tell(window, "Emulation.setDeviceMetricsOverride", **DESKTOP)
    window.complaints()  # of the test before
    origin = origin_of(gateway)
    window.open(f"{origin}{PAGE}")
    window.find("a.button").click()
    window.press("Sign in with Globus")
    window.press("alice@site.example.org")
    window.wait(lambda: window.driver.current_url == f"{origin}{PAGE}" or None)
    window.find("#usage")
    return window


def tell(page: Page, command: str, **arguments: Any) -> None:
    """Something to the browser that pages cannot ask for."""
    page.driver.execute_cdp_cmd(command, arguments)


def keep_picture(page: Page, name: str) -> None:
    if PICTURES:
        page.driver.save_screenshot(Path(PICTURES) / f"status-page-{name}.png")


def style_of(page: Page, selector: str, name: str) -> str:
    script = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
    return str(page.driver.execute_script(script, selector, name))


def focused(page: Page) -> str:
    """What the element with the focus says."""
    return str(page.driver.execute_script("return document.activeElement.textContent.trim()"))


def test_phone_shows_all_of_it_without_scrolling_sideways(page: Page) -> None:
    keep_picture(page, "desktop")
    tell(page, "Emulation.setDeviceMetricsOverride", **PHONE)
    page.driver.refresh()
    page.find("#usage")
    keep_picture(page, "phone")
    page.driver.execute_script("for (const one of document.querySelectorAll('details')) { one.open = true }")
    widths = page.driver.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    assert widths == [320, 320]
    out = page.driver.execute_script(
        "return [...document.querySelectorAll('main *:not(.unseen):not(thead):not(thead *)')]"
        ".filter(one => one.getBoundingClientRect().right > 320).map(one => one.outerHTML.slice(0, 100))"
    )
    assert out == []
    assert style_of(page, "tbody tr", "display") == "block"
    assert page.complaints() == []


def test_dark_scheme_is_dark_and_reduced_motion_is_still(page: Page) -> None:
    light = style_of(page, "body", "backgroundColor")
    wanted = [("prefers-color-scheme", "dark"), ("prefers-reduced-motion", "reduce")]
    tell(page, "Emulation.setEmulatedMedia", features=[{"name": name, "value": value} for name, value in wanted])
    keep_picture(page, "dark")
    assert (light, style_of(page, "body", "backgroundColor")) == ("rgb(255, 255, 255)", "rgb(18, 24, 31)")
    assert style_of(page, "html", "scrollBehavior") == "auto"
    assert page.complaints() == []


def test_keyboard_skips_to_the_content_sees_its_focus_and_opens_a_cluster(page: Page) -> None:
    page.driver.refresh()
    page.find("body").send_keys(Keys.TAB)
    assert focused(page) == "Skip to the content"
    assert page.driver.execute_script("return document.activeElement.getBoundingClientRect().top") >= 0
    page.driver.switch_to.active_element.send_keys(Keys.ENTER)
    page.wait(lambda: page.driver.execute_script("return document.activeElement.id") == "main" or None)
    page.driver.switch_to.active_element.send_keys(Keys.TAB)
    page.wait(lambda: focused(page).endswith("on this cluster, by vllm") or None)
    assert page.driver.execute_script("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.driver.switch_to.active_element.send_keys(Keys.ENTER)
    page.wait(lambda: page.driver.execute_script("return document.querySelector('details').open") or None)
    assert page.complaints() == []


def test_page_has_landmarks_and_headings_in_order(page: Page) -> None:
    for landmark in ("header", "nav[aria-label]", "main", "html[lang=en]"):
        assert len(page.find_all(landmark)) == 1
    levels = [int(one.tag_name[1]) for one in page.find_all("h1, h2, h3")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    assert len(page.find_all("table")) == len(page.find_all("table caption"))


def test_button_copies_the_text_beside_it(page: Page) -> None:
    tell(page, "Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    page.find("button[data-copy='snippet-curl']").send_keys(Keys.ENTER)
    page.wait(lambda: page.find("[data-said]").get_attribute("textContent") == "Copied." or None)
    copied = page.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
    assert copied == page.find("#snippet-curl").text
    assert "chat/completions" in copied
    assert page.complaints() == []


def test_refresh_keeps_what_is_open_and_says_when_it_was(page: Page) -> None:
    page.driver.execute_script(
        "document.querySelector('details').open = true; document.activeElement.blur(); refresh()"
    )
    page.wait(lambda: page.find("[data-refreshed]").text.startswith("Refreshed at") or None)
    assert page.driver.execute_script("return document.querySelector('details').open")
    assert "premium/secret-1t" in page.find("[data-live]").text
    assert page.complaints() == []
