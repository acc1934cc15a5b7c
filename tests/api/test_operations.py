"""For operators: health, readiness, metrics, the description of the API."""

import requests

from tests.api.conftest import Http, Stack
from tests.framework import CHAT


def test_health_and_ready_need_no_token(stack: Stack) -> None:
    assert requests.get(f"{stack.gateway.base_url}/health", timeout=5).json() == {"status": "ok"}
    assert requests.get(f"{stack.gateway.base_url}/ready/", timeout=5).json() == {"status": "ok", "degraded": []}


def test_metrics_count_requests_by_catalogue_words_only(http: Http) -> None:
    http.post("/v1/chat/completions", json={"model": CHAT, "messages": [{"role": "user", "content": "x"}]})
    http.post("/v1/chat/completions", json={"model": "a-name-from-a-client", "messages": [{}]})
    text = http.get("/metrics").text
    assert 'gateway_requests_total{cluster="polaris",code="",operation="chat/completions",status="200"}' in text
    assert "gateway_identity_events_total" in text
    assert 'gateway_degraded{part="redis"} 0.0' in text
    assert "a-name-from-a-client" not in text


def test_openapi_describes_every_operation_and_not_the_relay(http: Http) -> None:
    paths = http.get("/openapi.json").json()["paths"]
    assert "/resource_server/v1/chat/completions" in paths
    assert "/resource_server/{cluster}/{framework}/v1/embeddings" in paths
    assert not [path for path in paths if "relay" in path or "metrics" in path]


def test_docs_page_is_served(http: Http) -> None:
    assert "text/html" in http.get("/docs").headers["content-type"]


def test_relay_without_a_ticket_is_refused_and_get_is_405(http: Http) -> None:
    assert http.post("/relay/abc.def", json={"attempt": "0" * 32, "seq": 0}).status_code == 403
    assert http.get("/relay/abc.def").status_code == 405


def test_admin_pages_are_served_to_people(stack: Stack) -> None:
    response = requests.get(f"{stack.gateway.base_url}/admin/login/", timeout=5)
    assert response.status_code == 200
    assert "Inference gateway" in response.text
