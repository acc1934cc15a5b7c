"""What nginx answers by itself is the gateway's envelope, and an OpenAI client knows it for what it is."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.deploy.conftest import Site
from tests.deploy.nginx import SHIPPED, NginxServer, build_compose_nginx
from tests.deploy.raw_http import exchange
from tests.framework import CHAT, SILENT
from tests.servers.process import find_free_port

pytestmark = [pytest.mark.nginx, pytest.mark.timeout(120)]
ROOT = Path(__file__).parents[2]
MESSAGES: list[Any] = [{"role": "user", "content": "hello"}]


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ("nonsense\r\n\r\n", 400, "invalid_value"),
        ("GET / HTTP/1.1\r\n\r\n", 400, "invalid_value"),
        ("GET /x HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "invalid_value"),
        ("GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400, "invalid_value"),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400, "invalid_value"),
        ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: foo\r\n\r\n", 501, "invalid_value"),
        (f"GET /{'a' * 40_000} HTTP/1.1\r\nHost: x\r\n\r\n", 414, "invalid_value"),
        (f"GET / HTTP/1.1\r\nHost: x\r\nX-Big: {'a' * 40_000}\r\n\r\n", 431, "invalid_value"),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", 413, "request_too_large"),
        ("POST /static/style.css HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405, "method_not_allowed"),
        ("GET /.gateway-error HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found"),
    ],
)
def test_unreadable_request_is_answered_in_the_envelope(site: Site, sent: str, status: int, code: str) -> None:
    answer = exchange(site.nginx.port, sent)
    assert (answer.status, answer.error["code"]) == (status, code)
    assert set(answer.error) == {"message", "type", "param", "code"}
    assert answer.headers["content-type"] == "application/json"
    assert re.fullmatch(r"req_[0-9a-f]{32}", answer.headers["x-request-id"])
    assert "nginx/" not in answer.headers["server"]


def test_body_beyond_nginx_is_an_api_status_error(site: Site) -> None:
    long: list[Any] = [{"role": "user", "content": "a" * 11 * 1024 * 1024}]
    with site.client() as client, pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model=CHAT, messages=long)
    assert (caught.value.status_code, caught.value.code) == (413, "request_too_large")
    assert caught.value.request_id


@pytest.fixture
def nginx_without_gateway(tmp_path: Path) -> Iterator[NginxServer]:
    with build_compose_nginx(tmp_path / "nginx", find_free_port(), tmp_path) as server:
        yield server


def test_gateway_that_is_down_is_an_internal_server_error(nginx_without_gateway: NginxServer) -> None:
    url = f"http://127.0.0.1:{nginx_without_gateway.port}/resource_server/v1"
    with (
        openai.OpenAI(base_url=url, api_key="x", max_retries=0) as client,
        pytest.raises(openai.InternalServerError) as caught,
    ):
        client.models.list()
    assert (caught.value.status_code, caught.value.code) == (502, "backend_error")
    assert caught.value.response.headers["retry-after"] == "2"


def test_gateway_that_hangs_is_a_timeout_that_is_not_retried(site: Site, tmp_path: Path) -> None:
    changes = {"proxy_read_timeout 3600s": "proxy_read_timeout 1s"}
    impatient = build_compose_nginx(tmp_path / "nginx", site.gateway.port, tmp_path, changes)
    with (
        impatient,
        openai.OpenAI(
            base_url=f"http://127.0.0.1:{impatient.port}/resource_server/v1", api_key=site.token, max_retries=1
        ) as client,
    ):
        before = len(site.framework.bodies)
        with pytest.raises(openai.InternalServerError) as caught:
            client.chat.completions.create(model=SILENT, messages=MESSAGES)
    assert (caught.value.status_code, caught.value.code) == (504, "timeout")
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert len(site.framework.bodies) <= before + 1  # none, where a slow machine had not come so far


def test_flood_from_one_address_is_a_rate_limit_error(site: Site, tmp_path: Path) -> None:
    changes = {
        "rate=50r/s": "rate=1r/m",
        "# limit_req zone=gateway_requests burst=200 nodelay": ("limit_req zone=gateway_requests"),
        "# limit_conn ": "limit_conn ",
    }
    strict = build_compose_nginx(tmp_path / "nginx", site.gateway.port, tmp_path, changes)
    with (
        strict,
        openai.OpenAI(
            base_url=f"http://127.0.0.1:{strict.port}/resource_server/v1", api_key=site.token, max_retries=0
        ) as client,
    ):
        client.models.list()
        with pytest.raises(openai.RateLimitError) as caught:
            client.models.list()
    assert caught.value.code == "rate_limit_exceeded"
    assert caught.value.response.headers["retry-after"] == "2"


def test_nginx_says_nothing_that_the_gateway_does_not_say() -> None:
    known = set(re.findall(r"\| `(\w+)` \|", (ROOT / "docs" / "errors.md").read_text()))
    said = set(re.findall(r'"code": "(\w+)"', (SHIPPED / "gateway" / "http.conf").read_text()))
    assert said
    assert said <= known
