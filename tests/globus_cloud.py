"""A stand-in of the Globus cloud for each worker of the run, with the personas in it."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from globus_local.admin_client import Admin
from tests.personas import (
    GATEWAY_ID,
    GATEWAY_SCOPE,
    GATEWAY_SECRET,
    OTHER_PROVIDER_ID,
    PERSONAS,
    PREMIUM_GROUP_ID,
    ROBOT,
    SERVICE_ACCOUNT_ID,
    SERVICE_ACCOUNT_SECRET,
    SITE_PROVIDER_ID,
    TOKEN_SCRIPT_ID,
    Persona,
)
from tests.servers.process import Process

ROOT = Path(__file__).parents[1]


class GlobusCloud:
    """A running stand-in. `url` is the origin of all its services, `admin` arranges what it knows and how it fails."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.url: str = state["url"]
        self.admin = Admin(state["url"], state["admin_token"])

    def issue_token(self, persona: Persona, **options: Any) -> str:
        """A new token of `persona` for the gateway; options as `Admin.issue_tokens`."""
        return self.admin.issue_token(persona.id, GATEWAY_SCOPE, **options)

    def environment(self) -> dict[str, str]:
        """What leads a gateway, with its credentials, and the Globus SDKs to this cloud."""
        return {
            "GLOBUS_SDK_ENVIRONMENT": "local",
            "GLOBUS_SDK_SERVICE_URL_AUTH": self.url,
            "GLOBUS_SDK_SERVICE_URL_GROUPS": self.url,
            "GLOBUS_SDK_SERVICE_URL_TRANSFER": self.url,
            "GLOBUS_COMPUTE_SERVICE_URL": self.url,
            "GLOBUS_APPLICATION_ID": GATEWAY_ID,
            "GLOBUS_APPLICATION_SECRET": GATEWAY_SECRET,
            "SERVICE_ACCOUNT_ID": SERVICE_ACCOUNT_ID,
            "SERVICE_ACCOUNT_SECRET": SERVICE_ACCOUNT_SECRET,
            "AUTHORIZED_IDPS": json.dumps({"Site": SITE_PROVIDER_ID}),
            "AUTHORIZED_CLIENTS": ROBOT.id,
        }


def build_seed() -> dict[str, list[dict[str, Any]]]:
    """The records that the cloud starts with (globus_local/README.md, "Seed files")."""
    people = [persona for persona in PERSONAS if persona.provider_id]
    members = [{"identity": persona.id} for persona in people if PREMIUM_GROUP_ID in persona.group_ids]
    return {
        "providers": [
            {"id": SITE_PROVIDER_ID, "name": "Site", "domains": ["site.example.org"]},
            {"id": OTHER_PROVIDER_ID, "name": "Elsewhere", "domains": ["elsewhere.example.com"]},
        ],
        "identities": [{"id": person.id, "username": person.username, "name": person.name} for person in people],
        "clients": [
            {"id": GATEWAY_ID, "name": "gateway", "secret": GATEWAY_SECRET},
            {"id": SERVICE_ACCOUNT_ID, "name": "service account", "secret": SERVICE_ACCOUNT_SECRET},
            {"id": TOKEN_SCRIPT_ID, "name": "token script", "kind": "native"},
            {"id": ROBOT.id, "name": ROBOT.name},
        ],
        "groups": [{"id": PREMIUM_GROUP_ID, "name": "premium", "members": members}],
    }


def start_cloud(folder: Path, *arguments: str) -> tuple[Process, GlobusCloud]:
    """Start one that keeps its files in `folder`; `arguments` are further options of ``globus_local serve``."""
    seed, state = folder / "seed.json", folder / "state.json"
    seed.write_text(json.dumps(build_seed()))
    command = [sys.executable, "-m", "globus_local", "serve", f"--seed={seed}", f"--state-file={state}", *arguments]
    process = Process(command, folder / "globus_local.log", cwd=ROOT)
    process.wait_until(state.exists)
    return process, GlobusCloud(json.loads(state.read_text()))


@pytest.fixture(scope="session")
def globus_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GlobusCloud]:
    """This worker's cloud, for what outlives a test."""
    process, cloud = start_cloud(tmp_path_factory.mktemp("globus"))
    yield cloud
    process.stop()


@pytest.fixture
def globus(globus_session: GlobusCloud) -> Iterator[GlobusCloud]:
    """This worker's cloud, behaving well at the start of every test, with an empty ledger."""
    globus_session.admin.clear_ledger()
    yield globus_session
    globus_session.admin.clear_faults()
