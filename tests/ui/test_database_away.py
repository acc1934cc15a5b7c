"""The page while the database is away: strangers see it as before, people stay signed in."""

from pathlib import Path

import pytest

from tests.gateway import GatewayServer, build_environment
from tests.globus_cloud import GlobusCloud
from tests.integration.people.test_database_down import UnreadyGateway
from tests.people import Browser, build_gateway, origin_of, register
from tests.personas import ALICE
from tests.ui.conftest import PAGE, build_rows


@pytest.fixture
def gateway(tmp_path: Path, globus: GlobusCloud) -> GatewayServer:
    """Its own, for it loses its database."""
    gateway = build_gateway(tmp_path, globus)
    gateway.load(build_rows())
    register(globus, gateway)
    return gateway


def test_page_goes_on_without_the_database_and_the_session_comes_back(gateway: GatewayServer, tmp_path: Path) -> None:
    with gateway:
        person, stranger = Browser(origin_of(gateway)), Browser(origin_of(gateway))
        person.sign_in(ALICE, onward=PAGE)
        cookies = dict(person.http.cookies)
        database = tmp_path / "gateway.sqlite3"
        database.rename(tmp_path / "away")
        database.mkdir()  # what is no file cannot be opened
        seen = stranger.get(PAGE)
        assert seen.status_code == 200
        assert "polaris" in seen.text
        page = person.get(PAGE)
        assert page.status_code == 200
        assert "The database is away" in page.text
        assert "polaris" in page.text
        assert ALICE.username not in page.text
        assert dict(person.http.cookies) == cookies
        database.rmdir()
        (tmp_path / "away").rename(database)
        assert ALICE.username in person.get(PAGE).text


def test_page_is_there_where_the_database_never_was(tmp_path: Path, globus_session: GlobusCloud) -> None:
    environment = build_environment(globus_session, tmp_path, PGHOST="127.0.0.1", PGPORT="9")
    with UnreadyGateway(tmp_path, environment) as gateway:
        browser = Browser(origin_of(gateway))
        browser.http.cookies.set("sessionid", "a" * 32)
        page = browser.get(PAGE)
        assert page.status_code == 200
        assert "cannot say at the moment which models there are" in page.text
        assert "How to connect" in page.text
        assert browser.http.cookies["sessionid"] == "a" * 32
