"""The stand-in of the Globus cloud, with the demo's people, apps and compute function in it."""

import json
import sys
from dataclasses import dataclass

from demo import layout, personas
from demo.environment import build_environ
from demo.processes import Children, Program
from globus_local.admin_client import Admin

START_WAIT_S = 30.0
REGISTER_WAIT_S = 60.0
END_WAIT_S = 3.0
INFERENCE_FUNCTION = "vllm_register_function.py"
UUID_FILE = "vllm_register_function_sophia_multiple_models.txt"
STATE_FILE = layout.FOLDER / "globus.json"
SEED_FILE = layout.FOLDER / "globus-seed.json"


@dataclass(frozen=True, slots=True)
class LocalCloud:
    """A running stand-in.

    Attributes:
        url: its origin, for all services.
        secrets: client secret by client id.
        admin: arranges what it knows.
    """

    url: str
    secrets: dict[str, str]
    admin: Admin

    def sdk_settings(self) -> dict[str, str]:
        """What leads the Globus SDKs to it, and the gateway and the registration script to its Compute service."""
        return {
            "GLOBUS_SDK_ENVIRONMENT": "local",
            "GLOBUS_SDK_SERVICE_URL_AUTH": self.url,
            "GLOBUS_SDK_SERVICE_URL_GROUPS": self.url,
            "GLOBUS_SDK_SERVICE_URL_TRANSFER": self.url,
            "GLOBUS_COMPUTE_SERVICE_URL": self.url,
        }

    def gateway_settings(self) -> dict[str, str]:
        """The gateway's credentials, and the way to the cloud."""
        return {
            "GLOBUS_APPLICATION_ID": personas.GATEWAY_ID,
            "GLOBUS_APPLICATION_SECRET": self.secrets[personas.GATEWAY_ID],
            "SERVICE_ACCOUNT_ID": personas.SERVICE_ACCOUNT_ID,
            "SERVICE_ACCOUNT_SECRET": self.secrets[personas.SERVICE_ACCOUNT_ID],
            **self.sdk_settings(),
        }

    def issue_tokens(self) -> dict[str, str]:
        """An access token for the gateway by persona, as a login would give it."""
        return {
            name: self.admin.issue_token(identity, personas.GATEWAY_SCOPE)
            for name, identity in personas.IDENTITIES.items()
        }


def start(children: Children, *, with_endpoint: bool) -> LocalCloud:
    """Start the stand-in with the demo's people and apps, and wait until it answers. Raises `DemoError`."""
    STATE_FILE.unlink(missing_ok=True)
    SEED_FILE.write_text(json.dumps(personas.SEED), encoding="utf-8")
    argv = [sys.executable, "-m", "globus_local", "serve", "--state-file", str(STATE_FILE), "--seed", str(SEED_FILE)]
    argv += [] if with_endpoint else ["--no-endpoint"]
    child = children.start(Program("globus", argv, build_environ({}), layout.ROOT, end_wait_s=END_WAIT_S))
    children.wait_until(child, STATE_FILE.exists, START_WAIT_S)
    admin = Admin.from_state_file(STATE_FILE)
    if with_endpoint:
        admin.call("POST", "compute/endpoints", personas.COMPUTE_ENDPOINT)
    clients = admin.call("GET", "records")["clients"]
    return LocalCloud(admin.base_url, {client["id"]: client["secret"] for client in clients}, admin)


def register_function(
    children: Children, cloud: LocalCloud, script: str = INFERENCE_FUNCTION, uuid_file: str = UUID_FILE
) -> str:
    """Register a shipped compute function as an operator does; returns its UUID. Raises `DemoError`."""
    folder = layout.FOLDER / "functions"
    folder.mkdir(exist_ok=True)
    credentials = {
        "GLOBUS_COMPUTE_CLIENT_ID": personas.SERVICE_ACCOUNT_ID,
        "GLOBUS_COMPUTE_CLIENT_SECRET": cloud.secrets[personas.SERVICE_ACCOUNT_ID],
    }
    environ = build_environ({**cloud.sdk_settings(), **credentials})
    argv = [sys.executable, str(layout.COMPUTE_FUNCTIONS / script)]
    children.run(Program("registration", argv, environ, folder), REGISTER_WAIT_S)
    return (folder / uuid_file).read_text(encoding="utf-8").strip()
