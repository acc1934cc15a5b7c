"""Rows that SQL changed behind the checks: each costs itself, and opens nothing."""

import pytest

from resource_server.domain.access import can_use
from resource_server.domain.catalogue import Place, Snapshot, build_snapshot
from resource_server.models import Cluster, Endpoint, FederatedEndpoint
from resource_server.models.catalogue import read_closed, read_clusters, read_endpoints, read_federated
from tests.personas import PREMIUM_GROUP_ID
from tests.unit.services.fakes import ALICE

pytestmark = pytest.mark.django_db
TARGET = {"backend": "simulated", "cluster": "polaris", "framework": "vllm"}


@pytest.fixture(autouse=True)
def rows() -> None:
    Cluster.objects.create(name="polaris")
    Endpoint.objects.create(
        cluster="polaris", framework="vllm", model="m", backend="simulated", allowed_globus_groups=[PREMIUM_GROUP_ID]
    )
    for model in ("m", "n"):
        FederatedEndpoint.objects.create(name=model, target_model_name=model, targets=[{**TARGET, "model": model}])


def build() -> Snapshot:
    return build_snapshot(read_clusters(), read_endpoints(), read_federated(), read_closed())


def is_open(places: tuple[Place, ...]) -> bool:
    return any(can_use(ALICE, frozenset(), place.rules) for place in places)


def test_endpoint_that_makes_no_target_closes_its_key_on_either_path() -> None:
    Endpoint.objects.update(backend="no such backend")
    snapshot = build()
    assert not is_open(snapshot.names(None)["m"])
    assert not is_open(snapshot.names(("polaris", "vllm"))["m"])
    assert is_open(snapshot.names(None)["n"])


def test_target_that_is_none_closes_its_key_for_the_rows_beside_it() -> None:
    FederatedEndpoint.objects.create(name="p", target_model_name="p", targets=[{**TARGET, "model": "n"}])
    FederatedEndpoint.objects.filter(name="n").update(targets=[{**TARGET, "model": "n", "typo": 1}])
    snapshot = build()
    assert not is_open(snapshot.names(None)["p"])
    assert not is_open(snapshot.names(None)["n"])


@pytest.mark.parametrize(
    "change", [{"allowed_globus_groups": ["no uuid"]}, {"allowed_domains": 7}, {"allowed_domains": [7]}]
)
def test_cluster_whose_rule_cannot_be_read_is_closed(change: dict[str, object]) -> None:
    Cluster.objects.update(**change)
    assert not is_open(build().names(None)["n"])


def test_domains_are_compared_in_lower_case_however_they_were_written() -> None:
    Cluster.objects.update(allowed_domains=["Site.Example.ORG"])
    assert read_clusters()[0].rule.domains == {"site.example.org"}
