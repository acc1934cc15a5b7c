"""What every page for people says to browsers: no script, style or handler of its own, no frame, no other site."""

from collections.abc import Mapping
from html.parser import HTMLParser

import pytest
from django.test import Client

from resource_server.models import Cluster, Endpoint, FederatedEndpoint, RequestLog, User
from resource_server.services.audit import Action, Actor, Source, record_event
from tests.integration.people.pages import ADMIN, TARGET, address_of, make_editor

pytestmark = pytest.mark.django_db

KINDS = ("cluster", "endpoint", "federatedendpoint", "user", "requestlog", "auditevent")


class Inline(HTMLParser):
    """Collects what a strict policy forbids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        is_data = names.get("type") in {"application/json", "text/template"}
        if tag == "style" or (tag == "script" and "src" not in names and not is_data):
            self.found.append(f"<{tag}>")
        self.found += [f"{tag} {name}" for name in names if name.startswith("on") or name == "style"]
        self.found += [f"{tag} {value}" for value in names.values() if (value or "").strip().startswith("javascript:")]


def list_pages(editor: Client) -> list[str]:
    """Each page of the admin, with a row wherever there can be one."""
    rows = [
        Cluster.objects.create(name="polaris"),
        Endpoint.objects.create(cluster="polaris", framework="vllm", model="m", backend="simulated"),
        FederatedEndpoint.objects.create(name="M", target_model_name="m", targets=[TARGET]),
        User.objects.get(username="editor"),
        record_event(Actor(Source.COMMAND), Action.UPDATE, "cluster", "polaris"),
        RequestLog.objects.create(
            request_id="r", received_at="2026-01-01T00:00Z", method="POST", operation="o", status=200, duration_ms=1
        ),
    ]
    editable = rows[:4]
    return [
        f"{ADMIN}/",
        f"{ADMIN}/resource_server/",
        f"{ADMIN}/password_change/",
        "/login/",
        *(f"{ADMIN}/resource_server/{kind}/" for kind in KINDS),
        *(f"{ADMIN}/resource_server/{kind}/add/" for kind in KINDS[:4]),
        *(address_of(row) for row in rows),
        *(address_of(row).replace("change", "delete") for row in editable),
        *(address_of(row).replace("change", "history") for row in editable),
        address_of(editable[3]).replace("change", "password"),
    ]


def test_no_page_needs_what_the_policy_forbids() -> None:
    editor = make_editor()
    for path in list_pages(editor):
        page = editor.get(path)
        assert page.status_code == 200, path
        assert Inline(page.content.decode()).found == [], path
        check_headers(page.headers, path)


@pytest.mark.parametrize("path", ["/login/", f"{ADMIN}/login/", "/complete/globus/", f"{ADMIN}/nowhere/"])
def test_strangers_pages_say_the_same(path: str) -> None:
    page = Client().get(path)
    assert Inline(page.content.decode()).found == []
    check_headers(page.headers, path)


def check_headers(said: Mapping[str, str], path: str) -> None:
    policy = dict(part.strip().split(" ", 1) for part in said["Content-Security-Policy"].split(";") if part.strip())
    assert policy["default-src"] == "'none'", path
    assert policy["script-src"] == policy["style-src"] == "'self'", path
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'", path
    is_sign_in = path in {"/login/", "/complete/globus/"}
    assert policy["form-action"] == ("'self' https: https://auth.globus.org" if is_sign_in else "'self'"), path
    assert (said["X-Frame-Options"], said["X-Content-Type-Options"]) == ("DENY", "nosniff"), path
    assert (said["Referrer-Policy"], said["Cross-Origin-Opener-Policy"]) == ("same-origin", "same-origin"), path
