"""What passes through the shipped nginx: streams, addresses, headers, static files."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.deploy.conftest import STYLE, Site
from tests.deploy.raw_http import exchange
from tests.framework import CHAT, SLOW
from tests.waiting import wait_until

pytestmark = [pytest.mark.nginx, pytest.mark.timeout(120)]
ASK: dict[str, Any] = {"messages": [{"role": "user", "content": "hello"}]}


def test_stream_arrives_while_its_model_still_writes(site: Site) -> None:
    with site.client() as client, client.chat.completions.create(model=SLOW, stream=True, **ASK) as stream:
        words = [chunk.choices[0].delta.content for _, chunk in zip(range(4), stream, strict=False)]
    assert " tick" in words  # this model never ends: what is here has not waited for an end


async def test_client_that_leaves_is_noticed_behind_nginx(site: Site) -> None:
    before = len(site.framework.cut_at)
    with site.client() as client, client.chat.completions.create(model=SLOW, stream=True, **ASK) as stream:
        next(iter(stream))
    await wait_until(lambda: len(site.framework.cut_at) > before, timeout_s=30)


def test_stream_keeps_its_headers_and_its_end(site: Site) -> None:
    headers = {"Authorization": f"Bearer {site.token}"}
    body = {"model": CHAT, "stream": True, **ASK}
    url = f"{site.url}/resource_server/v1/chat/completions"
    with requests.post(url, json=body, headers=headers, stream=True, timeout=30) as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert "content-encoding" not in answer.headers
        assert answer.headers["x-request-id"].startswith("req_")
        assert answer.content.endswith(b"data: [DONE]\n\n")


def test_id_with_an_encoded_slash_arrives_as_it_was_sent(site: Site) -> None:
    answer = site.get(f"/resource_server/v1/models/{CHAT.replace('/', '%2F')}")
    assert (answer.status_code, answer.json()["id"]) == (200, CHAT)


@pytest.mark.parametrize("path", ["metrics", "metrics/", "/metrics", "x/../metrics", "%6Detrics"])
def test_metrics_are_not_for_the_public(site: Site, path: str) -> None:
    answer = exchange(site.nginx.port, f"GET /resource_server/{path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (answer.status, answer.error["code"]) == (404, "not_found")


def test_cluster_whose_name_begins_like_metrics_is_reached(site: Site) -> None:
    assert is_the_gateways(site.get("/resource_server/metrics-lab/vllm/v1/models"))


def test_static_file_comes_from_the_disk(site: Site) -> None:
    answer = site.get("/static/style.css")
    assert (answer.text, answer.headers["content-type"]) == (STYLE, "text/css")


@pytest.mark.parametrize("path", ["/static/", "/static/gone.css", "/static/../manage.py"])
def test_missing_static_file_is_the_envelope(site: Site, path: str) -> None:
    answer = site.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("header", "value"),
    [("X-Forwarded-For", "203.0.113.9"), ("Forwarded", "for=203.0.113.9"), ("X-Real-IP", "203.0.113.9")],
)
def test_invented_address_is_not_believed(site: Site, header: str, value: str) -> None:
    request_id = site.get("/resource_server/whoami", Authorization="Bearer nobody", **{header: value}).headers[
        "x-request-id"
    ]
    line = find_line(lambda: site.gateway.log, "refused", request_id)
    assert "203.0.113.9" not in line
    assert "127.0.0.1" in line


def test_access_log_knows_the_gateways_request_id_and_no_query(site: Site) -> None:
    request_id = site.get("/resource_server/v1/models?code=secret-of-the-sign-in").headers["x-request-id"]
    record = json.loads(find_line(lambda: site.nginx.log, request_id))
    assert (record["path"], record["status"]) == ("/resource_server/v1/models", "200")
    assert "secret-of-the-sign-in" not in site.nginx.log
    assert site.token not in site.nginx.log


def test_body_between_the_two_caps_is_refused_by_the_gateway(site: Site) -> None:
    headers = {"Authorization": f"Bearer {site.token}"}
    url = f"{site.url}/resource_server/v1/chat/completions"
    answer = requests.post(url, data=b" " * (9 * 1024 * 1024 + 1), headers=headers, timeout=30)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")
    assert is_the_gateways(answer)


def test_compute_nodes_reach_the_relay(site: Site) -> None:
    answer = requests.post(f"{site.url}/resource_server/relay/unknown", data=b"{}", timeout=30)
    assert answer.status_code in {401, 403, 404, 410}
    assert answer.headers["content-type"] == "application/json"


def find_line(read: Callable[[], str], *parts: str) -> str:
    """The line of a log that holds all of `parts`, waited for."""
    deadline = time.monotonic() + 10
    while True:
        for line in read().splitlines():
            if all(part in line for part in parts):
                return line
        assert time.monotonic() < deadline, read()[-2000:]
        time.sleep(0.05)


def is_the_gateways(answer: requests.Response) -> bool:
    """Whether the gateway has answered: nginx's own request ids are longer."""
    return len(answer.headers["x-request-id"]) == len("req_") + 24
