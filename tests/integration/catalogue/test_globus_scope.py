"""`manage.py globus_scope` and the scope's line in `check_globus`, against the local Globus cloud."""

import uuid
from pathlib import Path

import pytest

from tests.gateway import GatewayServer, build_environment
from tests.globus_cloud import GlobusCloud
from tests.personas import ALICE
from tests.servers.process import ServerFailed


@pytest.fixture
def application(globus: GlobusCloud) -> dict[str, str]:
    """A service API application as it is after its registration: without a scope."""
    made = globus.admin.add_client(id=str(uuid.uuid4()), name="new gateway", secret="its secret", scopes={})
    return {"GLOBUS_APPLICATION_ID": made["id"], "GLOBUS_APPLICATION_SECRET": "its secret"}


def build_gateway(folder: Path, globus: GlobusCloud, application: dict[str, str]) -> GatewayServer:
    return GatewayServer(folder, build_environment(globus, folder, **application))


def test_scope_is_made_once_with_its_dependence_on_groups(
    tmp_path: Path, globus: GlobusCloud, application: dict[str, str]
) -> None:
    gateway = build_gateway(tmp_path, globus, application)
    scope = f"https://auth.globus.org/scopes/{application['GLOBUS_APPLICATION_ID']}/action_all"
    with pytest.raises(ServerFailed, match="does not exist"):
        gateway.manage("globus_scope", "--check")
    assert f"made: {scope}" in gateway.manage("globus_scope")
    assert f"as it should be: {scope}" in gateway.manage("globus_scope")
    assert "as it should be" in gateway.manage("globus_scope", "--check")
    assert globus.admin.issue_token(ALICE.id, scope)


def test_scope_without_groups_is_mended_and_keeps_what_it_depends_on(tmp_path: Path, globus: GlobusCloud) -> None:
    other = globus.admin.add_client(id=str(uuid.uuid4()), name="other", secret="s", scopes={"all": []})
    kept = f"https://auth.globus.org/scopes/{other['id']}/all"
    made = globus.admin.add_client(id=str(uuid.uuid4()), name="old", secret="s", scopes={"action_all": [kept]})
    application = {"GLOBUS_APPLICATION_ID": made["id"], "GLOBUS_APPLICATION_SECRET": "s"}
    gateway = build_gateway(tmp_path, globus, application)
    with pytest.raises(ServerFailed, match="does not depend on"):
        gateway.manage("globus_scope", "--check")
    assert "made" in gateway.manage("globus_scope")
    assert "as it should be" in gateway.manage("globus_scope", "--check")


def test_wrong_secret_says_what_to_check(tmp_path: Path, globus: GlobusCloud, application: dict[str, str]) -> None:
    application["GLOBUS_APPLICATION_SECRET"] = "wrong"
    with pytest.raises(ServerFailed, match="Check GLOBUS_APPLICATION_ID") as caught:
        build_gateway(tmp_path, globus, application).manage("globus_scope")
    assert "wrong" not in str(caught.value)
