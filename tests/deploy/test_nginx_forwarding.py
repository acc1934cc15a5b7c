"""What the gateway hears about its clients: whatever they say of themselves, nginx says what it saw."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from tests.deploy.certificates import write_certificate
from tests.deploy.nginx import build_compose_nginx, build_kubernetes_nginx, build_tls_nginx
from tests.deploy.raw_http import exchange

pytestmark = pytest.mark.nginx
INVENTED = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "1",
    "X-Real-IP": "203.0.113.9",
    "Forwarded": "for=203.0.113.9",
}


class _Echo(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"protocol": self.request_version, "path": self.path, **self.headers}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


@pytest.fixture(scope="module")
def echo_port() -> Iterator[int]:
    """In the gateway's place, a server that says what it was sent."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join(10)


def test_invented_headers_are_replaced_or_dropped(tmp_path: Path, echo_port: int) -> None:
    with build_compose_nginx(tmp_path / "nginx", echo_port, tmp_path) as nginx:
        heard = requests.get(f"http://127.0.0.1:{nginx.port}/a%2Fb?c=%20", headers=INVENTED, timeout=30).json()
    assert heard["X-Forwarded-For"] == "127.0.0.1"
    assert heard["X-Forwarded-Proto"] == "http"
    assert heard["Host"] == f"127.0.0.1:{nginx.port}"
    assert (heard["protocol"], heard["path"]) == ("HTTP/1.1", "/a%2Fb?c=%20")
    assert not {"X-Forwarded-Host", "X-Forwarded-Port", "X-Real-IP", "Forwarded"} & heard.keys()


def test_scheme_is_believed_of_a_proxy_that_is_listed(tmp_path: Path, echo_port: int) -> None:
    changes = {"# 192.0.2.10 1;": "127.0.0.1 1;"}
    with build_compose_nginx(tmp_path / "nginx", echo_port, tmp_path, changes) as nginx:
        url = f"http://127.0.0.1:{nginx.port}/"
        schemes = [
            requests.get(url, headers={"X-Forwarded-Proto": said}, timeout=30).json()["X-Forwarded-Proto"]
            for said in ("https", "gopher")
        ]
    assert schemes == ["https", "http"]


def test_site_with_tls_says_https_and_refuses_plain_http(tmp_path: Path, echo_port: int) -> None:
    certificate, key = write_certificate(tmp_path)
    with build_tls_nginx(tmp_path / "nginx", echo_port, tmp_path, certificate, key) as nginx:
        heard = requests.get(f"https://127.0.0.1:{nginx.port}/", verify=str(certificate), timeout=30).json()
        plain = exchange(nginx.port, "GET / HTTP/1.1\r\nHost: gateway.example.org\r\n\r\n")
        redirected = requests.get(f"http://127.0.0.1:{nginx.plain_port}/x?y", allow_redirects=False, timeout=30)
    assert heard["X-Forwarded-Proto"] == "https"
    assert (plain.status, plain.error["code"]) == (400, "invalid_value")
    assert (redirected.status_code, redirected.headers["location"]) == (308, "https://gateway.example.org/x?y")


def test_pod_believes_its_ingress_controller_and_lets_prometheus_ask_as_itself(tmp_path: Path, echo_port: int) -> None:
    with build_kubernetes_nginx(tmp_path / "nginx", echo_port, tmp_path) as nginx:
        heard = requests.get(f"http://127.0.0.1:{nginx.port}/", headers=INVENTED, timeout=30).json()
        metrics_url = f"http://127.0.0.1:{nginx.plain_port}/resource_server/metrics"
        scraped = requests.get(metrics_url, headers=INVENTED, timeout=30).json()
        public = requests.get(f"http://127.0.0.1:{nginx.port}/resource_server/metrics", timeout=30)
        other = requests.get(f"http://127.0.0.1:{nginx.plain_port}/resource_server/v1/models", timeout=30)
    assert (heard["X-Forwarded-For"], heard["X-Forwarded-Proto"]) == ("203.0.113.9", "https")
    assert "X-Forwarded-For" not in scraped
    assert scraped["path"] == "/resource_server/metrics"
    assert (public.status_code, other.status_code) == (404, 404)
