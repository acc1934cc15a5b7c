"""Pages without their database: they say so at once, and the API's event loop is not held up by them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.gateway import GatewayServer, build_environment
from tests.globus_cloud import GlobusCloud
from tests.people import Browser, origin_of


class UnreadyGateway(GatewayServer):
    """One that is up as soon as it answers at all."""

    def _is_ready(self) -> bool:
        try:
            return requests.get(f"{self.base_url}/health", timeout=2).ok
        except requests.RequestException:
            return False


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, globus_session: GlobusCloud) -> Iterator[Browser]:
    """Before a gateway whose database is not there; with a session key from better days."""
    folder: Path = tmp_path_factory.mktemp("no-database")
    environment = build_environment(globus_session, folder, PGHOST="127.0.0.1", PGPORT="9")
    with UnreadyGateway(folder, environment) as gateway:
        browser = Browser(origin_of(gateway))
        browser.http.cookies.set("sessionid", "a" * 32)
        yield browser


@pytest.mark.parametrize("path", ["/login/", "/resource_server/admin/", "/resource_server/admin/login/"])
def test_page_says_that_the_database_is_away(browser: Browser, path: str) -> None:
    page = browser.get(path, follow=False)
    assert page.status_code == 503, page.text[:3000]
    assert "The database cannot be asked now" in page.text
    assert page.headers["Retry-After"] == "10"


def test_sign_in_does_not_begin(browser: Browser) -> None:
    stranger = Browser(browser.origin)
    assert stranger.get("/login/").status_code == 200
    assert stranger.post("/login/globus/", follow=False).status_code == 503
