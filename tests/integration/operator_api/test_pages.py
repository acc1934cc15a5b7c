"""The operator API as pages: whole without script, and no script or style stands in them."""

from html.parser import HTMLParser
from typing import Any

import pytest

from resource_server.models import Cluster
from tests.integration.operator_api.clients import BASE, ENDPOINT, Api
from tests.integration.operator_api.logs import build_log

PAGES = ["", "clusters/", "clusters/{}/", "endpoints/?cluster=polaris", "request-logs/", "audit/", "usage/", "nothing/"]


class Page(HTMLParser):
    """What of a page a strict policy would stop, its forms, links and named parts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stopped: list[str] = []
        self.methods: list[str] = []
        self.links: list[str] = []
        self.labels: set[str] = set()
        self._in_script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.stopped += [name for name in found if name.startswith("on") or name == "style"]
        if tag == "style" or (tag == "script" and not found.get("src", "").startswith("/static/")):
            self.stopped.append(tag)
        self._in_script = tag == "script"
        if tag == "form":
            self.methods.append(found.get("data-method", found.get("method", "")))
        if tag == "a":
            self.links.append(found.get("href", ""))

    def handle_data(self, data: str) -> None:
        if self._in_script and data.strip():
            self.stopped.append(data)
        self._in_script = False


def open_page(api: Api, path: str) -> tuple[int, Page, str]:
    response: Any = api.client.get(f"{BASE}/{path}", headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    text = response.content.decode()
    assert response.headers["content-type"].startswith("text/html")
    return response.status_code, Page(text), text


@pytest.mark.parametrize("path", PAGES)
def test_page_holds_nothing_that_a_strict_policy_would_stop(operator: Api, path: str) -> None:
    build_log(3)
    row = operator.create("clusters/", {"name": "polaris", "description": "<script>alert(1)</script>"})
    status, page, text = open_page(operator, path.format(row["id"]))
    assert status == (404 if path == "nothing/" else 200)
    assert page.stopped == []
    assert "<script>alert" not in text


def test_forms_are_those_that_the_role_may_use(people: dict[str, Api]) -> None:
    row = people["admin"].create("clusters/", {"name": "polaris"})
    paths = ("clusters/", f"clusters/{row['id']}/", "audit/")
    operator = [open_page(people["operator"], path)[1].methods for path in paths]
    viewer = [open_page(people["viewer"], path)[1].methods for path in paths]
    assert operator == [["get", "POST"], ["PATCH", "DELETE"], ["get"]]
    assert viewer == [["get"], [], ["get"]]


def test_form_of_a_row_carries_its_version_and_its_values(operator: Api) -> None:
    row = operator.create("endpoints/", ENDPOINT)
    text = open_page(operator, f"endpoints/{row['id']}/")[2]
    assert f'data-version="{row["version"]}"' in text
    assert "&quot;api_port&quot;: 8000" in text


def test_list_links_to_its_rows_and_pages(operator: Api) -> None:
    Cluster.objects.bulk_create([Cluster(name=f"c{number:02}") for number in range(60)])
    page = open_page(operator, "clusters/")[1]
    assert f"{Cluster.objects.get(name='c07').pk}/" in page.links
    assert any(link.endswith("page=2") for link in page.links)
    build_log(1)
    assert "req-1/" in open_page(operator, "request-logs/")[1].links


@pytest.mark.parametrize(("role", "status"), [("anonymous", 401), ("nobody", 403)])
def test_refused_browser_gets_a_page_too(people: dict[str, Api], role: str, status: int) -> None:
    found, page, text = open_page(people[role], "clusters/")
    assert (found, page.methods) == (status, [])
    assert "error" in text
