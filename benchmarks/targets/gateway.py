"""The gateway as it is served: authentication, access rules and accounting on, on its embedded defaults."""

import json
import secrets
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from benchmarks.exchange import EVENTS_PER_S, MODELS, PACED, SLOW, SLOW_EVENTS_PER_S
from benchmarks.plans import Address
from benchmarks.processes import Program, Programs, find_free_port
from benchmarks.targets.cloud import GROUP_ID, Cloud
from benchmarks.targets.peers import build_uvicorn_command
from benchmarks.targets.target import Target
from inference_gateway.environment import KEYS

UNARY = "simulated/unary"
_SIMULATED = {PACED: "simulated/paced", SLOW: "simulated/slow"}
CHAT_PATH = "/resource_server/v1/chat/completions"


def start_gateway(programs: Programs, cloud: Cloud, mock: Target) -> list[Target]:
    """One gateway, as two targets: ``openai_http`` to the mock, and ``simulated``. Raises `BenchmarkError`."""
    port = find_free_port()
    program = serve_gateway(programs, port, cloud, build_rows(f"http://127.0.0.1:{mock.address.port}/v1"))
    address = Address(port, CHAT_PATH, {"Authorization": f"Bearer {cloud.issue_token()}"})
    over_http = Target("gateway, openai_http", program, address, defers=True)
    simulated = replace(over_http, name="gateway, simulated", models=_SIMULATED, is_mock=False, bursts=False)
    return [over_http, simulated]


def serve_gateway(
    programs: Programs,
    port: int,
    cloud: Cloud,
    rows: Sequence[Mapping[str, Any]],
    *,
    application: str = "inference_gateway.asgi:application",
    **variables: str,
) -> Program:
    """A gateway with these rows in its catalogue, ready. Every key has a value: no ``.env`` changes a figure."""
    folder = programs.folder / f"gateway-{port}"
    folder.mkdir()
    environ = {key.name: key.default or "" for key in KEYS if key.reader == "gateway"}
    environ |= {"SECRET_KEY": secrets.token_urlsafe(50), "DEBUG": "True", "GATEWAY_DATA_DIR": str(folder)}
    environ |= {"LOG_LEVEL": "WARNING", "DJANGO_SETTINGS_MODULE": "inference_gateway.settings"}
    environ |= {"RELAY_BASE_URL": f"http://127.0.0.1:{port}/resource_server/relay", **cloud.environ(), **variables}
    fixture = folder / "rows.json"
    fixture.write_text(json.dumps(rows))
    for arguments in (["migrate", "-v0"], ["loaddata", str(fixture)]):
        programs.run([sys.executable, "manage.py", *arguments], environ)
    command = build_uvicorn_command(application, port)
    program = programs.start(f"gateway-{port}", command, environ, is_target=True)
    program.wait_until(lambda: _is_ready(port))
    return program


def build_rows(mock_url: str) -> list[dict[str, Any]]:
    """The catalogue: every model is behind a group, so that access is decided and not skipped."""
    rules = {"framework": "vllm", "allowed_globus_groups": f"bench:{GROUP_ID}", "max_concurrency": 2000}
    over_http = {"backend": "openai_http", "cluster": "http", "base_url": mock_url, **rules}
    simulated = {"backend": "simulated", "cluster": "simulated", "first_token_ms": 0, **rules}
    paces = {UNARY: 0.0, _SIMULATED[PACED]: 1000 / EVENTS_PER_S, _SIMULATED[SLOW]: 1000 / SLOW_EVENTS_PER_S}
    targets: list[dict[str, Any]] = [{**over_http, "model": model} for model in MODELS]
    targets += [{**simulated, "model": model, "token_interval_ms": pace} for model, pace in paces.items()]
    return [build_row(number, target["model"], target) for number, target in enumerate(targets, 1)]


def build_row(number: int, model: str, *targets: Mapping[str, Any]) -> dict[str, Any]:
    """One federated endpoint as a fixture row."""
    fields = {"name": f"bench {number}", "target_model_name": model, "targets": list(targets)}
    return {"model": "resource_server.federatedendpoint", "pk": number, "fields": fields}


def _is_ready(port: int) -> bool:
    url = f"http://127.0.0.1:{port}/resource_server/ready"
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)  # noqa: PLR2004 - HTTP's OK
    except (urllib.error.URLError, OSError):
        return False
