"""One gateway for a file of tests: open and premium models, two clusters, a maintenance, names that need escaping."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.gateway import GatewayServer, federated
from tests.globus_cloud import GlobusCloud
from tests.people import Browser, build_gateway, origin_of, register
from tests.personas import ALICE, BOB, PREMIUM_GROUP_ID

EVIL = "evil/<script>alert('x')</script>\"&$(id)"
PAGE = "/resource_server/ui/"
PICTURES = os.environ.get("TEST_PICTURES_DIR", "")
"""Where pictures of the page are kept for the documents, if they are asked for."""


def target(cluster: str, model: str, **fields: Any) -> dict[str, Any]:
    """A place that needs no hardware."""
    return {"backend": "simulated", "cluster": cluster, "framework": "vllm", "model": model, **fields}


def build_rows() -> list[dict[str, Any]]:
    """The catalogue, and what alice and bob have used."""
    premium = {"allowed_globus_groups": [PREMIUM_GROUP_ID]}
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    clusters: list[dict[str, Any]] = [
        {"name": "polaris"},
        {"name": "sophia", "maintenance_from": tomorrow.isoformat(), "maintenance_notice": "New <b>cables</b>"},
        {"name": "aurora", "maintenance": True, "maintenance_notice": "Back soon"},
    ]
    rows = [
        federated(1, "meta-llama/Llama-3.3-70B-Instruct", target("polaris", "meta-llama/Llama-3.3-70B-Instruct")),
        federated(2, "openai/gpt-oss-120b", target("sophia", "openai/gpt-oss-120b", cold_start_s=240)),
        federated(3, "premium/secret-1t", target("sophia", "premium/secret-1t", **premium)),
        federated(5, "Qwen/Qwen3-32B", target("aurora", "Qwen/Qwen3-32B")),
    ]
    if not PICTURES:
        rows.append(federated(4, EVIL, target("polaris", EVIL)))
    rows += [{"model": "resource_server.cluster", "pk": pk, "fields": row} for pk, row in enumerate(clusters, 1)]
    used = [(ALICE, 0, 200, 1), (ALICE, 1, 200, 1), (ALICE, 2, 500, 1), (ALICE, 3, 200, 60), (BOB, 4, 200, 1)]
    rows += [build_log(number, who.id, status, days) for who, number, status, days in used]
    return rows


def build_log(number: int, sub: str, status: int, days: int) -> dict[str, Any]:
    """One request so many days ago."""
    fields = {
        "request_id": f"req_{number}",
        "received_at": (datetime.now(UTC).replace(hour=12) - timedelta(days=days)).isoformat(),
        "sub": sub,
        "method": "POST",
        "operation": "chat/completions",
        "model": "openai/gpt-oss-120b" if sub == ALICE.id else "bobs/model",
        "status": status,
        "prompt_tokens": 1200,
        "completion_tokens": 34,
        "duration_ms": 5.0,
    }
    return {"model": "resource_server.requestlog", "pk": number + 1, "fields": fields}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, globus_session: GlobusCloud) -> Iterator[GatewayServer]:
    """The running gateway."""
    folder: Path = tmp_path_factory.mktemp("ui")
    gateway = build_gateway(folder, globus_session)
    gateway.load(build_rows())
    with gateway:
        yield gateway


@pytest.fixture
def gateway(served: GatewayServer, globus: GlobusCloud) -> GatewayServer:
    """The gateway at the start of a test: Globus knows its address again."""
    register(globus, served)
    return served


@pytest.fixture
def browser(gateway: GatewayServer) -> Browser:
    """A fresh browser."""
    return Browser(origin_of(gateway))
