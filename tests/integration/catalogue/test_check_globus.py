"""`manage.py check_globus` against the local Globus cloud."""

from pathlib import Path

import pytest

from tests.gateway import GatewayServer, build_environment, federated
from tests.globus_cloud import GlobusCloud
from tests.personas import SERVICE_ACCOUNT_ID
from tests.servers.process import ServerFailed

NOWHERE = "0de30000-0000-4000-8000-0000000000ff"


def prepare(folder: Path, globus: GlobusCloud, endpoint_id: str, **variables: str) -> GatewayServer:
    gateway = GatewayServer(folder, build_environment(globus, folder, **variables))
    gateway.manage("migrate", "-v0")
    target = {"cluster": "c", "framework": "vllm", "model": "m", "endpoint_uuid": endpoint_id, "function_uuid": NOWHERE}
    gateway.load([federated(1, "m", target)])
    return gateway


def test_everything_in_order_says_ok(tmp_path: Path, globus: GlobusCloud) -> None:
    endpoint_id = globus.admin.create_endpoint("check", SERVICE_ACCOUNT_ID)
    output = prepare(tmp_path, globus, endpoint_id).manage("check_globus")
    assert output.count("ok ") == 4
    assert f"compute endpoint {endpoint_id}" in output


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"GLOBUS_APPLICATION_SECRET": "wrong"}, "check GLOBUS_APPLICATION_ID"),
        ({"SERVICE_ACCOUNT_SECRET": "wrong"}, "check SERVICE_ACCOUNT_ID"),
        ({}, "is the UUID right"),
    ],
)
def test_what_is_wrong_fails_and_says_what_to_check(
    tmp_path: Path, globus: GlobusCloud, variables: dict[str, str], complaint: str
) -> None:
    gateway = prepare(tmp_path, globus, NOWHERE, **variables)
    with pytest.raises(ServerFailed, match="checks failed") as caught:
        gateway.manage("check_globus")
    assert complaint in str(caught.value)
