"""The local Globus cloud behind the gateway: one person in one group, and the clients of the installation."""

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from benchmarks.processes import BenchmarkError, Programs
from globus_local.admin_client import Admin

GATEWAY_ID = "be7c0000-0000-4000-8000-00000000c001"
SERVICE_ACCOUNT_ID = "be7c0000-0000-4000-8000-00000000c002"
PROVIDER_ID = "be7c0000-0000-4000-8000-00000000d001"
PERSON_ID = "be7c0000-0000-4000-8000-00000000b001"
GROUP_ID = "be7c0000-0000-4000-8000-00000000a001"
SECRET = "benchmarks-only"  # noqa: S105 - of a cloud that lives for minutes, on loopback
_COMPUTE_SCOPE = "https://auth.globus.org/scopes/facd7ccc-c5f4-42aa-916b-a0e270e2c2a9/all"

_RATE_WAIT_S = 2.0
_RATE_ATTEMPTS = 15  # the service counts 10 s back

_SEED = {
    "providers": [{"id": PROVIDER_ID, "name": "Site", "domains": ["site.example.org"]}],
    "identities": [{"id": PERSON_ID, "username": "bench@site.example.org", "name": "Bench"}],
    "clients": [
        {"id": GATEWAY_ID, "name": "gateway", "secret": SECRET},
        {"id": SERVICE_ACCOUNT_ID, "name": "service account", "secret": SECRET},
        {"name": "token script", "kind": "native"},
    ],
    "groups": [{"id": GROUP_ID, "name": "bench", "members": [{"identity": PERSON_ID}]}],
}


class Cloud:
    """A running stand-in of the Globus cloud."""

    def __init__(self, admin: Admin) -> None:
        self.admin = admin
        self.url = admin.base_url

    def issue_token(self) -> str:
        """An access token for the gateway."""
        return self.admin.issue_token(PERSON_ID, f"https://auth.globus.org/scopes/{GATEWAY_ID}/action_all")

    def call_compute(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Call the Compute web service as the service account, waiting out its rate; answers the decoded JSON."""
        token = self.admin.issue_token(SERVICE_ACCOUNT_ID, _COMPUTE_SCOPE)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers)  # noqa: S310 - a loopback address of ours
        for _attempt in range(_RATE_ATTEMPTS):
            try:
                with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
                    return json.load(response)
            except urllib.error.HTTPError as exc:
                if exc.code != HTTPStatus.TOO_MANY_REQUESTS:
                    raise
                time.sleep(_RATE_WAIT_S)
        raise BenchmarkError("the Compute web service still refuses calls for their rate")

    def environ(self) -> dict[str, str]:
        """What leads the Globus SDKs, and a gateway with its credentials, to it."""
        return {
            "GLOBUS_SDK_ENVIRONMENT": "local",
            "GLOBUS_SDK_SERVICE_URL_AUTH": self.url,
            "GLOBUS_SDK_SERVICE_URL_GROUPS": self.url,
            "GLOBUS_SDK_SERVICE_URL_TRANSFER": self.url,
            "GLOBUS_COMPUTE_SERVICE_URL": self.url,
            "GLOBUS_APPLICATION_ID": GATEWAY_ID,
            "GLOBUS_APPLICATION_SECRET": SECRET,
            "SERVICE_ACCOUNT_ID": SERVICE_ACCOUNT_ID,
            "SERVICE_ACCOUNT_SECRET": SECRET,
            "AUTHORIZED_IDPS": json.dumps({"Site": PROVIDER_ID}),
        }


def start_cloud(programs: Programs) -> Cloud:
    """Start one, on the core of the load generator. Raises `BenchmarkError`."""
    seed, state = programs.folder / "seed.json", programs.folder / "globus.json"
    seed.write_text(json.dumps(_SEED))
    command = [sys.executable, "-m", "globus_local", "serve", "--seed", str(seed), "--state-file", str(state)]
    programs.start("globus_local", command).wait_until(state.exists)
    return Cloud(Admin.from_state_file(Path(state)))
