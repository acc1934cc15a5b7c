"""The pages in a real browser, which holds them to their policy: sign in, edit a target, meet another editor."""

import os
from pathlib import Path

import pytest

from tests.chromium import Page, opened
from tests.gateway import GatewayServer, federated
from tests.globus_cloud import GlobusCloud
from tests.people import Browser, origin_of
from tests.personas import ALICE, BOB

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

LIST = "/resource_server/admin/resource_server/federatedendpoint/"
TARGETS = [
    {"backend": "simulated", "cluster": cluster, "framework": "vllm", "model": "llama"}
    for cluster in ("polaris", "sophia")
]
PICTURES = os.environ.get("TEST_PICTURES_DIR", "")
"""Where to keep pictures of the pages, for the documentation; empty for nowhere."""


def keep_picture(page: Page, name: str, of: str = "body") -> None:
    if PICTURES:
        page.driver.execute_script(f"document.querySelector('{of}').scrollIntoView()")
        page.driver.save_screenshot(Path(PICTURES) / f"admin-{name}.png")


def sign_in(page: Page, origin: str, path: str) -> None:
    page.open(f"{origin}{path}")
    page.find("a.button").click()
    keep_picture(page, "sign-in")
    page.press("Sign in with Globus")
    page.press("alice@site.example.org")
    page.wait(lambda: page.driver.current_url == f"{origin}{path}" or None)


def clusters_of(page: Page) -> list[str]:
    return [str(field.get_attribute("value")) for field in page.find_all(".target-list input[name$='-cluster']")]


def test_operator_signs_in_and_edits_targets(gateway: GatewayServer, globus: GlobusCloud) -> None:
    gateway.load([federated(1, "llama", *TARGETS)])
    origin = origin_of(gateway)
    with opened() as page:
        sign_in(page, origin, LIST)
        keep_picture(page, "list")
        page.find("#result_list tbody th a").click()
        page.wait(lambda: clusters_of(page) == ["polaris", "sophia"] or None)
        page.wait(lambda: not page.find("[data-backend='globus_compute']").is_displayed() or None)
        keep_picture(page, "targets", "section.targets")

        page.press("Move up", "(//fieldset[contains(@class, 'target')])[2]")
        page.press("Add a target")
        page.wait(lambda: clusters_of(page) == ["sophia", "polaris", ""] or None)
        page.find("[name='targets-2-backend'] option[value='simulated']").click()
        page.type("[name='targets-2-cluster']", "admin")
        page.type("[name='targets-2-framework']", "vllm")
        page.type("[name='targets-2-model']", "llama")
        page.find("[name='_continue']").click()
        page.wait(lambda: "is a fixed word" in page.driver.page_source or None)
        keep_picture(page, "errors", ".has-errors")

        other = Browser(origin)
        other.sign_in(BOB)
        assert other.submit(f"{LIST}1/change/", {"description": "bob was here"}, action="").status_code == 200

        cluster = page.find(".target.has-errors input[name$='-cluster']")
        cluster.clear()
        cluster.send_keys("aurora")
        page.find("[name='_continue']").click()
        page.wait(lambda: "Somebody has changed this row" in page.driver.page_source or None)
        keep_picture(page, "conflict")
        page.wait(lambda: clusters_of(page) == ["sophia", "polaris", "aurora"] or None)
        page.find("[name='_continue']").click()
        page.wait(lambda: "was changed successfully" in page.driver.page_source or None)

        page.wait(lambda: clusters_of(page) == ["sophia", "polaris", "aurora"] or None)
        page.open(f"{origin}/resource_server/admin/resource_server/auditevent/")
        page.wait(lambda: ALICE.username in page.driver.page_source or None)
        keep_picture(page, "audit")
        assert page.complaints() == []
