"""What calls to Globus Compute and the relay leave in the metrics."""

from tests.e2e.compute_site import RELAYED, SENTENCE, Site, wait_until
from tests.framework import CHAT
from tests.scrapes import scrape


def test_relayed_answer_counts_its_call_its_turn_and_its_posts(site: Site) -> None:
    before = scrape(site.gateway.base_url)
    assert site.ask(CHAT).content == SENTENCE
    now = scrape(site.gateway.base_url)

    def grown(sample: str, **labels: str) -> float:
        return now.value(sample, **labels) - before.value(sample, **labels)

    assert grown("gateway_globus_calls_total", operation="submit", outcome="answered") >= 1
    assert grown("gateway_globus_call_duration_seconds_count", operation="submit") >= 1
    assert grown("gateway_globus_pacing_wait_seconds_count", purpose="submit") >= 1
    assert grown("gateway_relay_posts_total", outcome="taken") >= 1
    assert now.value("gateway_globus_budget_calls_per_second") > 50
    assert now.value("gateway_breaker_open") == 0
    assert now.value("gateway_controller_is_leader") == 1  # it is alone
    # Which happened at the start.
    assert now.value("gateway_globus_calls_total", operation="endpoint_status", outcome="answered") >= 1
    assert now.value("gateway_globus_calls_total", operation="find_result_queues", outcome="answered") >= 1
    assert now.value("gateway_globus_pacing_wait_seconds_count", purpose="look") >= 2


def test_stream_from_a_compute_node_shows_while_it_is_open(site: Site) -> None:
    with site.open_stream(RELAYED[0], stream=True) as response:
        lines = response.iter_lines()
        while b"tick" not in next(lines):
            pass
        assert scrape(site.gateway.base_url).value("gateway_relay_streams") >= 1
        assert [line for line in lines if line][-1] == b"data: [DONE]"
    assert wait_until(lambda: scrape(site.gateway.base_url).value("gateway_relay_streams") == 0, 20)
    now = scrape(site.gateway.base_url)
    assert now.value("gateway_relay_memory_bytes") == 0
    assert now.value("gateway_submission_queue_length") == 0
