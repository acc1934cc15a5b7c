from collections.abc import Iterator
from pathlib import Path

import pytest

from globus_local.admin_client import Admin
from globus_local.cloud import Settings
from globus_local.embedded import running
from tests.integration.token_script.script import CLIENT_ID, GATEWAY_ID, GATEWAY_SECRET, TokenScript


@pytest.fixture
def script(tmp_path: Path) -> TokenScript:
    """The script with no settings at all."""
    return TokenScript(tmp_path)


@pytest.fixture
def cloud() -> Iterator[Admin]:
    """Globus's stand-in, with the gateway, the script's public client, and Alice and Bob of one site."""
    with running(Settings(with_endpoint=False)) as (_, admin):
        admin.add(
            clients=[
                {"id": GATEWAY_ID, "name": "gateway", "secret": GATEWAY_SECRET},
                {"id": CLIENT_ID, "name": "token script", "kind": "native"},
            ],
            identities=[
                {"username": "alice@lab.example.org"},
                {"username": "bob@lab.example.org"},
                {"username": "carol@elsewhere.example.com"},
            ],
        )
        yield admin


@pytest.fixture
def local_script(tmp_path: Path, cloud: Admin) -> TokenScript:
    """The script with a ``.env`` that points it at the stand-in."""
    script = TokenScript(tmp_path)
    script.write_dotenv(
        GLOBUS_APPLICATION_ID=GATEWAY_ID,
        GLOBUS_SDK_ENVIRONMENT="local",
        GLOBUS_SDK_SERVICE_URL_AUTH=cloud.base_url,
    )
    return script
