"""A page of the operator API in Chromium, under its content security policy."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.gateway import GatewayServer
from tests.globus_cloud import GlobusCloud
from tests.people import Browser, build_gateway, origin_of
from tests.personas import BOB

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromedriver") is None, reason="browser: see the marker in pyproject.toml"),
]
PATIENCE_S = 30


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, globus_session: GlobusCloud) -> Iterator[GatewayServer]:
    with build_gateway(tmp_path_factory.mktemp("pages"), globus_session) as gateway:
        yield gateway


@pytest.fixture
def chromium(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", f"--user-data-dir={tmp_path}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    driver.set_page_load_timeout(PATIENCE_S)
    yield driver
    driver.quit()


def sign_in(chromium: webdriver.Chrome, gateway: GatewayServer) -> None:
    """Bob's session, opened by his other browser."""
    browser = Browser(origin_of(gateway))
    browser.sign_in(BOB)
    chromium.get(f"{browser.origin}/login/")
    chromium.delete_all_cookies()
    for cookie in browser.http.cookies:
        chromium.add_cookie({"name": cookie.name, "value": cookie.value or "", "path": "/"})


def send(chromium: webdriver.Chrome, method: str, body: str) -> None:
    form = chromium.find_element(By.CSS_SELECTOR, f"form[data-method={method}]")
    area = form.find_element(By.TAG_NAME, "textarea")
    area.clear()
    area.send_keys(body)
    form.find_element(By.TAG_NAME, "button").click()


def wait_for_text(chromium: webdriver.Chrome, selector: str, text: str) -> None:
    WebDriverWait(chromium, PATIENCE_S, ignored_exceptions=[Exception]).until(
        lambda driver: any(text in element.text for element in driver.find_elements(By.CSS_SELECTOR, selector))
    )


def test_row_is_created_changed_and_protected_from_a_stale_page(
    chromium: webdriver.Chrome, gateway: GatewayServer
) -> None:
    sign_in(chromium, gateway)
    chromium.get(f"{gateway.base_url}/operator/clusters/")
    send(chromium, "POST", '{"name": "v1"}')
    wait_for_text(chromium, "[role=alert]", "is a fixed word")
    send(chromium, "POST", '{"name": "polaris"}')
    wait_for_text(chromium, "main li a", "polaris")
    chromium.find_element(By.PARTIAL_LINK_TEXT, "polaris").click()
    wait_for_text(chromium, "h2", "PATCH")
    gateway.manage("maintenance", "polaris")  # somebody else, meanwhile
    send(chromium, "PATCH", '{"description": "New disks."}')
    wait_for_text(chromium, "[role=alert]", "The row has changed since you read it: maintenance.")
    chromium.refresh()
    send(chromium, "PATCH", '{"description": "New disks."}')
    wait_for_text(chromium, "pre", '"description": "New disks."')
    said = [entry["message"] for entry in chromium.get_log("browser")]  # type: ignore[no-untyped-call]
    assert not [message for message in said if "Content Security Policy" in message]
