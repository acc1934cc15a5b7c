"""Every thing that happens to a request is counted where an operator looks for it."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.api.conftest import COLD_METERED, DEAD, FAILOVER_METERED, NARROW, Http, Stack
from tests.framework import BUSY, CHAT, SILENT, SLOW, TRUNCATED
from tests.scrapes import Scrape, read_documented, scrape

PATH = "/v1/chat/completions"
MESSAGES = [{"role": "user", "content": "x"}]


def build(model: str, **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": MESSAGES, **fields}


@dataclass(frozen=True)
class Watch:
    """What has been counted since it was made."""

    base_url: str
    before: Scrape

    def grown(self, sample: str, **labels: str) -> float:
        return scrape(self.base_url).value(sample, **labels) - self.before.value(sample, **labels)

    def wait_grown(self, by: float, sample: str, **labels: str) -> None:
        """Return when it has grown by so much; fail after a while."""
        deadline = time.monotonic() + 20
        while (grown := self.grown(sample, **labels)) < by:
            assert time.monotonic() < deadline, f"{sample} {labels} grew by {grown}"
            time.sleep(0.05)


@pytest.fixture
def watch(stack: Stack) -> Watch:
    return Watch(stack.gateway.base_url, scrape(stack.gateway.base_url))


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def test_documented_series_are_the_scraped_ones(stack: Stack) -> None:
    documented = read_documented()
    assert len(documented) > 40
    assert scrape(stack.gateway.base_url).types == documented


def test_stream_counts_its_tokens_and_the_times_between_them(http: Http, watch: Watch) -> None:
    assert http.post(PATH, json=build(CHAT, stream=True)).text.endswith("data: [DONE]\n\n")
    model = {"gen_ai_request_model": CHAT}
    assert watch.grown("gen_ai_server_time_to_first_token_seconds_count", **model) == 1
    assert watch.grown("gen_ai_server_time_per_output_token_seconds_count", **model) == 1
    assert watch.grown("gen_ai_client_token_usage_sum", gen_ai_token_type="input", **model) == 5
    assert watch.grown("gen_ai_client_token_usage_sum", gen_ai_token_type="output", **model) == 4
    assert watch.grown("gateway_tokens_total", kind="completion", cluster="polaris") == 4
    assert watch.grown("gen_ai_server_request_duration_seconds_count", gen_ai_operation_name="chat") >= 1
    assert watch.grown("gateway_requests_total", status="200", code="", cluster="polaris") >= 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [(build("no/such"), "model_not_found"), ({"model": CHAT}, "invalid_value"), (build(BUSY), "overloaded")],
    ids=["unknown model", "no messages", "busy"],
)
def test_request_that_is_turned_away_counts_by_its_reason(
    http: Http, watch: Watch, body: dict[str, Any], reason: str
) -> None:
    assert http.post(PATH, json=body).status_code >= 400
    assert watch.grown("gateway_refusals_total", reason=reason) == 1
    assert watch.grown("gateway_errors_total", code=reason) == 1


def test_stranger_is_refused_and_globus_was_asked(stack: Stack, watch: Watch) -> None:
    headers = {"Authorization": f"Bearer stranger-{time.time_ns()}"}
    assert (
        requests.post(stack.gateway.base_url + PATH, json=build(CHAT), headers=headers, timeout=20).status_code == 401
    )
    assert watch.grown("gateway_refusals_total", reason="invalid_api_key") == 1
    assert watch.grown("gateway_globus_calls_total", operation="introspect", outcome="answered") == 1
    assert watch.grown("gateway_globus_call_duration_seconds_count", operation="introspect") == 1
    assert watch.grown("gateway_identity_events_total", event="introspections") == 1


def test_failure_of_a_target_is_none_of_the_gateways_refusals(http: Http, watch: Watch) -> None:
    assert http.post(PATH, json=build(DEAD)).status_code in {502, 503}
    refused = watch.grown("gateway_refusals_total", reason="backend_error")
    assert refused == 0
    ejected_or_failed = watch.grown("gateway_upstream_failures_total", reason="unavailable") + watch.grown(
        "gateway_refusals_total", reason="model_offline"
    )
    assert ejected_or_failed >= 1


def test_answer_from_the_next_target_counts_as_a_failover(http: Http, watch: Watch) -> None:
    deadline = time.monotonic() + 30
    while watch.grown("gateway_failovers_total", cluster="polaris") < 1:  # which target comes first is up to the prompt
        body = build(FAILOVER_METERED, messages=[{"role": "user", "content": str(time.time_ns())}])  # another each time
        assert http.post(PATH, json=body).headers["x-gateway-cluster"] == "aurora"
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert watch.grown("gateway_upstream_failures_total", cluster="polaris", reason="unavailable") >= 1


def test_stream_that_breaks_off_is_counted(http: Http, watch: Watch) -> None:
    assert "[DONE]" not in http.post(PATH, json=build(TRUNCATED, stream=True)).text
    assert watch.grown("gateway_streams_broken_total", cluster="polaris") == 1
    assert watch.grown("gateway_requests_total", code="stream_interrupted") == 1


def test_request_in_progress_shows_and_its_client_that_leaves_is_counted(http: Http, watch: Watch) -> None:
    with http.post(PATH, json=build(SLOW, stream=True), stream=True) as response:
        lines = response.iter_lines()  # kept: the connection goes with it
        assert next(lines)
        now = scrape(watch.base_url)
        assert now.value("gateway_requests_in_progress") >= 1
        assert now.value("gateway_target_requests", model=SLOW) >= 1
    watch.wait_grown(1, "gateway_cancellations_total", answer="begun")


def test_client_that_leaves_before_the_answer_counts_apart(stack: Stack, http: Http, watch: Watch) -> None:
    with pytest.raises(requests.Timeout):
        requests.post(stack.gateway.base_url + PATH, json=build(SILENT), headers=http.session.headers, timeout=0.5)
    watch.wait_grown(1, "gateway_cancellations_total", answer="none")


def test_model_that_is_started_counts_its_start_and_who_was_held(http: Http, watch: Watch) -> None:
    assert http.post(PATH, json=build(COLD_METERED, stream=True)).text.endswith("data: [DONE]\n\n")
    watch.wait_grown(1, "gateway_cold_starts_total", cluster="glacier", outcome="succeeded")
    assert watch.grown("gateway_cold_start_duration_seconds_sum", cluster="glacier") > 1
    assert watch.grown("gateway_queue_wait_seconds_count", reason="held") >= 1
    assert watch.grown("gateway_queue_wait_seconds_sum", reason="held") > 1


def test_request_that_queues_shows_and_its_wait_is_counted(http: Http, watch: Watch, pool: ThreadPoolExecutor) -> None:
    asked = [pool.submit(lambda: http.post(PATH, json=build(NARROW)).status_code) for _ in range(4)]
    watch.wait_grown(1, "gateway_target_queue_length", cluster="narrow")
    assert [answer.result(20) for answer in asked] == [200] * 4
    assert watch.grown("gateway_queue_wait_seconds_count", reason="full") == 3
    assert watch.grown("gateway_target_queue_length", cluster="narrow") == 0


def test_post_to_the_relay_without_a_ticket_is_counted_as_forbidden(http: Http, watch: Watch) -> None:
    assert http.post("/relay/abc.def", json={"attempt": "0" * 32, "seq": 0}).status_code == 403
    assert watch.grown("gateway_relay_posts_total", outcome="forbidden") == 1


POSITIVE: list[tuple[str, Callable[[float], bool]]] = [
    ("gateway_workers", lambda value: value == 1),
    ("gateway_draining", lambda value: value == 0),
    ("gateway_catalogue_age_seconds", lambda value: 0 <= value < 60),
    ("gateway_event_loop_lag_seconds", lambda value: value > 0),
    ("gateway_spool_bytes", lambda value: value >= 0),
    ("gateway_globus_budget_calls_per_second", lambda value: 0.5 < value < 2.5),
    ("gateway_degraded", lambda value: value == 0),
    ("gateway_records_lost_total", lambda value: value == 0),
    ("process_resident_memory_bytes", lambda value: value > 1e6),
    ("django_db_execute_total", lambda value: value > 0),
]


@pytest.mark.parametrize(("sample", "is_right"), POSITIVE, ids=[name for name, _ in POSITIVE])
def test_state_of_the_process_is_there(stack: Stack, sample: str, is_right: Callable[[float], bool]) -> None:
    deadline = time.monotonic() + 20  # some are a second old
    while not is_right(value := scrape(stack.gateway.base_url).value(sample)):
        assert time.monotonic() < deadline, f"{sample} is {value}"
        time.sleep(0.1)


def test_names_that_clients_send_are_no_labels(http: Http, stack: Stack) -> None:
    name = f"a-name-from-a-client-{time.time_ns()}"
    http.post(PATH, json=build(name))
    http.get(f"/{name}/{name}/{name}/status")
    assert name not in scrape(stack.gateway.base_url).text
