"""A headless Chromium for tests of pages; nothing of it outlives the test."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

T = TypeVar("T")

TIMEOUT_S = 40


class Page:
    """What a person does with a page."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, address: str) -> None:
        """Go there."""
        self.driver.get(address)

    def find(self, selector: str) -> WebElement:
        """The first element of a CSS selector, once it is there."""
        return self.wait(lambda: next(iter(self.find_all(selector)), None))

    def find_all(self, selector: str) -> list[WebElement]:
        """The elements that are there now."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def press(self, text: str, within: str = "") -> None:
        """Press a button by its words."""
        wanted = f"//button[contains(normalize-space(.), '{text}')] | //input[@type='submit'][@value='{text}']"
        self.wait(lambda: next(iter(self.driver.find_elements(By.XPATH, f"{within}{wanted}")), None)).click()

    def type(self, selector: str, text: str) -> None:
        """Put `text` in place of what the field holds."""
        element = self.find(selector)
        element.clear()
        element.send_keys(text)

    def wait(self, found: Callable[[], T | None]) -> T:
        """What `found` gives once it is anything; fails after a generous while."""
        # An element may be of the page before: look again.
        wait = WebDriverWait(self.driver, TIMEOUT_S, 0.1, [StaleElementReferenceException])
        result = wait.until(lambda _driver: found())
        assert result is not None
        return result

    def complaints(self) -> list[str]:
        """What the browser's console says against the page: violations of the policy, errors of scripts."""
        entries = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE" and entry["source"] != "network"]


@contextmanager
def opened(width: int = 1200, height: int = 900) -> Iterator[Page]:
    """A browser window."""
    options = webdriver.ChromeOptions()
    for switch in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(switch)
    options.add_argument(f"--window-size={width},{height}")
    options.binary_location = shutil.which("chromium") or ""
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        driver.set_page_load_timeout(TIMEOUT_S)
        yield Page(driver)
    finally:
        driver.quit()
