"""A gateway process for tests: the product as it is served, with the detector of blocking calls switched on."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from globus_local.admin_client import Admin
from tests.personas import (
    CHARLIE,
    GATEWAY_ID,
    GATEWAY_SECRET,
    OTHER_PROVIDER_ID,
    PERSONAS,
    PREMIUM_GROUP_ID,
    ROBOT,
    SERVICE_ACCOUNT_ID,
    SERVICE_ACCOUNT_SECRET,
    SITE_PROVIDER_ID,
)
from tests.servers.process import Process, Server, find_free_port

ROOT = Path(__file__).resolve().parent.parent
SCOPE = f"https://auth.globus.org/scopes/{GATEWAY_ID}/action_all"


def add_personas(admin: Admin) -> dict[str, str]:
    """Make the personas known to a local Globus cloud; answers a token for each, by name."""
    people = [persona for persona in PERSONAS if persona is not ROBOT]
    admin.add(
        providers=[{"id": SITE_PROVIDER_ID, "name": "The Site"}, {"id": OTHER_PROVIDER_ID, "name": "Elsewhere"}],
        identities=[
            {"id": p.id, "username": p.username, "name": p.name.title(), "provider_id": p.provider_id} for p in people
        ],
        clients=[
            {"id": GATEWAY_ID, "name": "gateway", "secret": GATEWAY_SECRET},
            {"id": SERVICE_ACCOUNT_ID, "name": "service account", "secret": SERVICE_ACCOUNT_SECRET},
            {"id": ROBOT.id, "name": "robot", "secret": "robot-secret"},
        ],
        groups=[
            {
                "id": PREMIUM_GROUP_ID,
                "name": "premium",
                "members": [{"identity": p.username} for p in people if PREMIUM_GROUP_ID in p.group_ids],
            }
        ],
    )
    assert CHARLIE.provider_id == OTHER_PROVIDER_ID
    return {persona.name: admin.issue_token(persona.username, SCOPE) for persona in PERSONAS}


def build_environment(globus_url: str, data_dir: Path, **variables: str) -> dict[str, str]:
    """The environment of a gateway that trusts the local Globus cloud; without more, on SQLite and alone."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "inference_gateway.settings",
        "DEBUG": "True",
        "SECRET_KEY": "tests-only: no deployment signs anything with these fifty characters",
        "GATEWAY_DATA_DIR": str(data_dir),
        "PGHOST": "",
        "REDIS_URL": "",
        "GLOBUS_APPLICATION_ID": GATEWAY_ID,
        "GLOBUS_APPLICATION_SECRET": GATEWAY_SECRET,
        "SERVICE_ACCOUNT_ID": SERVICE_ACCOUNT_ID,
        "SERVICE_ACCOUNT_SECRET": SERVICE_ACCOUNT_SECRET,
        "AUTHORIZED_IDPS": json.dumps({"The Site": SITE_PROVIDER_ID}),
        "AUTHORIZED_CLIENTS": ROBOT.id,
        "GLOBUS_SDK_ENVIRONMENT": "local",
        "GLOBUS_SDK_SERVICE_URL_AUTH": globus_url,
        "GLOBUS_SDK_SERVICE_URL_GROUPS": globus_url,
        "GLOBUS_SDK_SERVICE_URL_TRANSFER": globus_url,
        "GLOBUS_COMPUTE_SERVICE_URL": globus_url,
        "PYTHONPATH": str(ROOT),
        **variables,
    }


class GatewayServer(Server):
    """One gateway at ``base_url``; `manage` runs its operator's commands."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        super().__init__()
        self.port = find_free_port()
        self.base_url = f"http://127.0.0.1:{self.port}/resource_server"
        self._folder = folder
        self.environment = dict(environment)
        self.environment.setdefault("RELAY_BASE_URL", f"{self.base_url}/relay")
        if not self.environment["RELAY_BASE_URL"]:
            self.environment["RELAY_BASE_URL"] = f"{self.base_url}/relay"

    @property
    def log(self) -> str:
        """What the gateway has said so far."""
        path = self._folder / "gateway.log"
        return path.read_text() if path.exists() else ""

    def manage(self, *arguments: str) -> str:
        """Run ``manage.py`` and return its output. Raises `subprocess.CalledProcessError`."""
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout

    def load(self, rows: Sequence[Mapping[str, Any]], name: str = "rows") -> None:
        """Load fixture rows."""
        path = self._folder / f"{name}.json"
        path.write_text(json.dumps(rows))
        self.manage("loaddata", str(path))

    def _spawn(self) -> Process:
        command = [sys.executable, "-m", "uvicorn", "tests.gateway_app:application", "--port", str(self.port)]
        command += ["--no-access-log", "--lifespan", "on", "--timeout-graceful-shutdown", "5"]
        process = Process(command, self._folder / "gateway.log", env=self.environment)
        process.wait_until(self._is_ready, timeout_s=40)
        return process

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.base_url}/ready", timeout=2) as response:
                return response.status == 200  # type: ignore[no-any-return]  # urllib's stubs say Any
        except (urllib.error.URLError, OSError):
            return False


def federated(pk: int, model: str, *targets: Mapping[str, Any]) -> dict[str, Any]:
    """One fixture row."""
    fields = {"name": f"row {pk}", "target_model_name": model, "targets": list(targets)}
    return {"model": "resource_server.federatedendpoint", "pk": pk, "fields": fields}


def http_target(model: str, base_url: str, **fields: Any) -> dict[str, Any]:
    """One target reached by HTTP."""
    document = {"backend": "openai_http", "cluster": "polaris", "framework": "vllm", "model": model}
    return {**document, "base_url": base_url, **fields}
