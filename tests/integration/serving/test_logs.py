"""What a gateway writes down of its requests, read by a program as an operator's would."""

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.framework import CHAT, FAILING, running_framework
from tests.gateway import GatewayServer, build_environment, federated, http_target
from tests.globus_cloud import GlobusCloud
from tests.personas import ALICE

pytestmark = pytest.mark.timeout(300)  # it starts several processes; on a busy machine that takes its time

PROMPT = "a prompt that nobody else should see"
ACCESS = "resource_server.api.access_log"


def test_json_log_has_one_record_per_request_and_no_secret(tmp_path: Path, globus: GlobusCloud) -> None:
    variables = {"LOG_FORMAT": "json", "ACCESS_LOG": "True", "REDIS_URL": ""}
    token = globus.issue_token(ALICE)
    headers = {"Authorization": f"Bearer {token}"}
    with running_framework() as framework:
        gateway = GatewayServer(tmp_path, build_environment(globus, tmp_path, **variables))
        gateway.manage("migrate", "-v0")
        gateway.load(
            [federated(pk, model, http_target(model, framework.url)) for pk, model in enumerate((CHAT, FAILING))]
        )

        def ask(model: str, **body: Any) -> requests.Response:
            document = {"model": model, "messages": [{"role": "user", "content": PROMPT}], **body}
            return requests.post(f"{gateway.base_url}/v1/chat/completions", json=document, headers=headers, timeout=30)

        with gateway:
            answers = [ask(CHAT), ask(CHAT, stream=True), ask(FAILING)]
            answers += [
                requests.get(f"{gateway.base_url}/{path}", headers=headers, timeout=30)
                for path in (f"v1/models/{CHAT}", "no/such/route", "admin/login/")
            ]
    records = [json.loads(line) for line in gateway.log.splitlines()]
    by_id = {record["request_id"]: record for record in records if record["logger"] == ACCESS}
    written = [by_id[answer.headers["x-request-id"]] for answer in answers[:-1]]
    chat = "resource_server/v1/chat/completions"
    assert [(each["route"], each["status"]) for each in written] == [
        (chat, 200),
        (chat, 200),
        (chat, 502),
        ("resource_server/v1/models/<path:model_id>", 200),
        (None, 404),
    ]
    assert [each["model"] for each in written] == [CHAT, CHAT, FAILING, None, None]
    assert (written[0]["sub"], written[0]["cluster"], written[0]["method"]) == (ALICE.id, "polaris", "POST")
    assert all(each["duration_ms"] >= 0 for each in written)
    failed = next(record for record in records if record["message"].startswith("upstream_refused"))
    assert failed["request_id"] == answers[2].headers["x-request-id"]
    assert any(each["route"] == "resource_server/admin/login/" for each in by_id.values())
    text = gateway.log
    assert token not in text
    assert PROMPT not in text
    assert ALICE.username not in text
