"""People with browsers: they sign in at the local Globus and walk the pages of a gateway, form by form."""

import re
from collections.abc import Mapping
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import requests

from tests.gateway import GatewayServer, build_environment
from tests.globus_cloud import GlobusCloud
from tests.personas import ALICE, BOB, GATEWAY_ID, GATEWAY_SECRET, Persona

ADMIN_GROUP_ID = "7e570000-0000-4000-8000-00000000a00a"
OPERATOR_GROUP_ID = "7e570000-0000-4000-8000-00000000a00b"
TIMEOUT_S = 30
COMPLETE = "/complete/globus/"


class Form(HTMLParser):
    """The values of a page's form as a browser would send it; `actions` are where its forms go."""

    def __init__(self, text: str, action: str = "") -> None:
        super().__init__()
        self.actions: list[str] = []
        self.values: dict[str, str] = {}
        self._wanted = action
        self._inside = False
        self._select = ""
        self._textarea = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        name = found.get("name", "")
        if tag == "form":
            self.actions.append(found.get("action", ""))
            self._inside = self._wanted in self.actions[-1]
        elif not self._inside:
            return
        elif tag == "input" and name:
            kind = found.get("type", "text")
            if kind in {"checkbox", "radio"} and "checked" not in found:
                return
            if kind not in {"submit", "file"}:
                self.values[name] = found.get("value", "on" if kind == "checkbox" else "")
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and ("selected" in found or self._select not in self.values):
            self.values[self._select] = found.get("value", "")
        elif tag == "textarea":
            self._textarea = name
            self.values[name] = ""

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.values[self._textarea] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self.values[self._textarea] = self.values[self._textarea].removeprefix("\r").removeprefix("\n")
            self._textarea = ""
        elif tag == "select":
            self._select = ""
        elif tag == "form":
            self._inside = False


class Browser:
    """One browser: its cookies, and where it is."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.http = requests.Session()

    def get(self, path: str, *, follow: bool = True) -> requests.Response:
        """Open a page of the gateway."""
        return self.http.get(urljoin(self.origin, path), timeout=TIMEOUT_S, allow_redirects=follow)

    def post(self, path: str, values: Mapping[str, str] | None = None, *, follow: bool = True) -> requests.Response:
        """Send values to the gateway, with the browser's CSRF token."""
        data = {"csrfmiddlewaretoken": self.http.cookies.get("csrftoken", ""), **(values or {})}
        headers = {"Referer": self.origin}
        url = urljoin(self.origin, path)
        return self.http.post(url, data=data, headers=headers, timeout=TIMEOUT_S, allow_redirects=follow)

    def submit(self, path: str, changes: Mapping[str, str] | None = None, *, action: str = "") -> requests.Response:
        """Open the page, change the form whose action holds `action`, and send it."""
        form = Form(self.get(path).text, action)
        return self.post(path, {**form.values, **(changes or {})})

    def start_sign_in(self, onward: str = "") -> requests.Response:
        """Press the button; the page of Globus that opens."""
        self.get("/login/")
        return self.post("/login/globus/", {"next": onward} if onward else {})

    def sign_in(self, who: Persona, onward: str = "") -> requests.Response:
        """Sign in at Globus; the page at which that ends."""
        page = self.start_sign_in(onward)
        action = unescape(re.findall(r'action="([^"]*)"', page.text)[0])
        return self.http.post(urljoin(page.url, action), data={"identity": who.id}, timeout=TIMEOUT_S)

    def sign_out(self) -> requests.Response:
        """Press the button."""
        self.get("/login/")
        return self.post("/sign-out/")


def origin_of(gateway: GatewayServer) -> str:
    """Where its pages are."""
    return gateway.base_url.removesuffix("/resource_server")


def build_gateway(folder: Path, globus: GlobusCloud, **variables: str) -> GatewayServer:
    """A gateway, migrated and not started, in which alice is an admin and bob an operator; Globus knows its pages."""
    environment = build_environment(
        globus, folder, ADMIN_GROUPS=ADMIN_GROUP_ID, OPERATOR_GROUPS=OPERATOR_GROUP_ID, **variables
    )
    gateway = GatewayServer(folder, environment)
    gateway.manage("migrate", "-v0")
    register(globus, gateway)
    return gateway


def register(globus: GlobusCloud, gateway: GatewayServer) -> None:
    """Tell Globus the gateway's redirect address, and who runs the gateway."""
    address = f"{origin_of(gateway)}{COMPLETE}"
    client = {"id": GATEWAY_ID, "name": "gateway", "secret": GATEWAY_SECRET, "redirect_uris": [address]}
    roles = ((ADMIN_GROUP_ID, "admins", ALICE), (OPERATOR_GROUP_ID, "operators", BOB))
    groups = [{"id": group_id, "name": name, "members": [{"identity": who.id}]} for group_id, name, who in roles]
    globus.admin.add(clients=[client], groups=groups)
