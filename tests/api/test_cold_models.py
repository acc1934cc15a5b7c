"""Models that are not hot, through the whole gateway: started ahead of time, held, and honest about it."""

import requests

from tests.api.conftest import Http, Stack
from tests.framework import CHAT


def test_hot_model_is_warm_already(http: Http) -> None:
    response = http.post(f"/v1/models/{CHAT}/warm")
    assert response.status_code == 200
    assert response.json() == {"id": CHAT, "object": "model", "status": "hot", "eta_s": None, "as_of": None}


def test_unknown_model_cannot_be_warmed(http: Http) -> None:
    response = http.post("/v1/models/no/such/warm")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")


def test_model_must_not_be_warmed_by_a_stranger(stack: Stack) -> None:
    url = f"{stack.gateway.base_url}/v1/models/{CHAT}/warm"
    assert requests.post(url, headers={"Authorization": "Bearer stranger"}, timeout=20).status_code == 401
