"""What a collector of traces hears of a gateway's requests, over OTLP, and what frameworks are told."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.collector import Collector, read_attributes, running_collector
from tests.framework import CHAT, FAILING, Framework, running_framework
from tests.gateway import GatewayServer, build_environment, federated, http_target
from tests.globus_cloud import GlobusCloud
from tests.personas import ALICE
from tests.servers.process import find_free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(300)  # it starts several processes; on a busy machine that takes its time

PROMPT = "a prompt that nobody else should see"
FAILOVER = "test/failover"
PARENT_SPAN = "00f067aa0ba902b7"


def name_trace(number: int) -> str:
    return f"4bf92f3577b34da6a3ce929d0e0e{number:04x}"


@dataclass
class Stack:
    """One gateway that is traced, with what is on both sides of it."""

    gateway: GatewayServer
    framework: Framework
    collector: Collector
    token: str

    def ask(self, model: str, trace_id: str, flags: str = "01", **body: Any) -> requests.Response:
        document = {"model": model, "messages": [{"role": "user", "content": PROMPT}], **body}
        headers = {
            "Authorization": f"Bearer {self.token}",
            "traceparent": f"00-{trace_id}-{PARENT_SPAN}-{flags}",
            "tracestate": "vendor=of-the-client",
        }
        url = f"{self.gateway.base_url}/v1/chat/completions"
        return requests.post(url, json=document, headers=headers, timeout=60)


def build_gateway(folder: Path, globus: GlobusCloud, framework: Framework, endpoint: str) -> GatewayServer:
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    gateway = GatewayServer(folder, build_environment(globus, folder, **variables))
    gateway.manage("migrate", "-v0")
    failing, chat = http_target(FAILING, framework.url), http_target(CHAT, framework.url, cluster="aurora")
    gateway.load(
        [
            federated(1, CHAT, http_target(CHAT, framework.url)),
            federated(2, FAILING, failing),
            federated(3, FAILOVER, failing, chat),
        ]
    )
    return gateway


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, globus_session: GlobusCloud) -> Iterator[Stack]:
    with running_framework() as framework, running_collector() as collector:
        folder = tmp_path_factory.mktemp("gateway")
        with build_gateway(folder, globus_session, framework, collector.url) as gateway:
            yield Stack(gateway, framework, collector, globus_session.issue_token(ALICE))


async def test_streamed_request_is_one_trace_from_client_to_framework(stack: Stack) -> None:
    trace_id = name_trace(1)
    answer = stack.ask(CHAT, trace_id, stream=True)
    assert answer.status_code == 200
    await wait_until(lambda: len(stack.collector.trace(trace_id)) == 4, 60)
    spans = {span.name: span for span in stack.collector.trace(trace_id)}
    assert spans.keys() == {"POST /resource_server/v1/chat/completions", "authenticate", "route", f"chat {CHAT}"}
    server, attempt = spans["POST /resource_server/v1/chat/completions"], spans[f"chat {CHAT}"]
    assert server.parent_span_id.hex() == PARENT_SPAN
    assert {span.parent_span_id for span in spans.values() if span is not server} == {server.span_id}
    assert (server.kind, attempt.kind) == (server.SPAN_KIND_SERVER, attempt.SPAN_KIND_CLIENT)
    assert [event.name for event in attempt.events] == ["first content"]
    attributes = read_attributes(server.attributes)
    assert (
        attributes.items()
        >= {
            "http.request.method": "POST",
            "http.route": "/resource_server/v1/chat/completions",
            "http.response.status_code": 200,
            "server.address": "127.0.0.1",
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": CHAT,
            "gen_ai.provider.name": "vllm",
            "gateway.request_id": answer.headers["x-request-id"],
            "gateway.cluster": "polaris",
            "gateway.stream": True,
        }.items()
    )
    assert "gen_ai.usage.output_tokens" in attributes
    seen = next(each for each in stack.framework.headers if trace_id in each.get("traceparent", ""))
    assert seen["traceparent"] == f"00-{trace_id}-{attempt.span_id.hex()}-01"
    assert {name.lower(): value for name, value in seen.items()}["x-request-id"] == answer.headers["x-request-id"]
    assert "tracestate" not in seen


async def test_failed_attempt_stands_beside_the_one_that_answered(stack: Stack) -> None:
    trace_id = name_trace(2)
    assert stack.ask(FAILOVER, trace_id).status_code == 200
    await wait_until(lambda: len(stack.collector.trace(trace_id)) == 5, 60)
    attempts = [span for span in stack.collector.trace(trace_id) if span.kind == span.SPAN_KIND_CLIENT]
    told = [read_attributes(span.attributes) for span in attempts]
    assert [(each["gateway.cluster"], each.get("error.type")) for each in told] == [
        ("polaris", "refused"),
        ("aurora", None),
    ]
    assert told[0]["http.response.status_code"] == 500
    assert [span.status.code for span in attempts] == [Status.STATUS_CODE_ERROR, Status.STATUS_CODE_UNSET]


async def test_failure_is_in_the_span_and_who_asked_is_not(stack: Stack) -> None:
    trace_id = name_trace(3)
    assert stack.ask(FAILING, trace_id).status_code == 502
    await wait_until(lambda: len(stack.collector.trace(trace_id)) == 4, 60)
    server = stack.collector.trace(trace_id)[0]
    assert server.status.code == Status.STATUS_CODE_ERROR
    assert read_attributes(server.attributes)["error.type"] == "backend_error"
    text = str(stack.collector.spans) + str(stack.collector.resources)
    for secret in (PROMPT, stack.token, ALICE.username, ALICE.id, "of-the-client"):
        assert secret not in text


async def test_unsampled_parent_is_passed_on_and_not_recorded(stack: Stack) -> None:
    unsampled, sampled = name_trace(4), name_trace(5)
    assert stack.ask(CHAT, unsampled, "00").status_code == 200
    assert stack.ask(CHAT, sampled).status_code == 200
    await wait_until(lambda: len(stack.collector.trace(sampled)) == 4, 60)
    assert stack.collector.trace(unsampled) == []
    assert any(each.get("traceparent", "").startswith(f"00-{unsampled}-") for each in stack.framework.headers)


def test_collector_hears_who_sends(stack: Stack) -> None:
    assert set(stack.collector.paths) == {"/v1/traces"}
    resource = stack.collector.resources[0]
    assert resource["service.name"] == "inference-gateway"
    assert resource["service.instance.id"]
    assert resource["service.version"]


def test_requests_are_answered_without_their_collector(tmp_path: Path, globus_session: GlobusCloud) -> None:
    with running_framework() as framework:
        endpoint = f"http://127.0.0.1:{find_free_port()}"
        gateway = build_gateway(tmp_path, globus_session, framework, endpoint)
        with gateway:
            away = Stack(gateway, framework, Collector(), globus_session.issue_token(ALICE))
            answers = [away.ask(CHAT, name_trace(number)) for number in range(10, 20)]
            assert [answer.status_code for answer in answers] == [200] * 10
    lines = [line for line in gateway.log.splitlines() if "opentelemetry" in line]
    assert 1 <= len(lines) <= 6
