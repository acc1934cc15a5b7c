"""``manage.py explain_route``: what an operator reads of a model's places."""

import json
import time
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from resource_server.models import Cluster, ClusterStatus, FederatedEndpoint

pytestmark = pytest.mark.django_db

MODEL = "m/chat"
GROUP = "7e570000-0000-4000-8000-00000000a001"


@pytest.fixture(autouse=True)
def rows() -> None:
    uuids = {"status_endpoint_uuid": GROUP, "status_function_uuid": GROUP}
    Cluster.objects.create(name="polaris", **uuids)
    Cluster.objects.create(name="sophia", **uuids)
    Cluster.objects.create(name="aurora", maintenance=True, maintenance_notice="New disks.")
    targets: list[dict[str, Any]] = [
        {"backend": "simulated", "framework": "vllm", "model": MODEL, "cluster": cluster}
        for cluster in ("aurora", "sophia", "polaris")
    ]
    targets[1]["allowed_globus_groups"] = [GROUP]
    FederatedEndpoint.objects.create(name="Chat", target_model_name=MODEL, targets=targets)
    hot = {"running": [{"Models": MODEL, "Framework": "vllm", "Model Status": "hot"}]}
    ClusterStatus.objects.create(cluster="polaris", report=json.dumps(hot), as_of=time.time() - 5)
    cold = {"running": [], "cluster_status": {"free_nodes": 2}}
    ClusterStatus.objects.create(cluster="sophia", report=json.dumps(cold), as_of=time.time() - 5)


def explain(*arguments: str) -> str:
    out = StringIO()
    call_command("explain_route", *arguments, stdout=out)
    return out.getvalue()


def test_places_stand_in_the_order_in_which_they_are_tried() -> None:
    places = json.loads(explain(MODEL, "--json"))
    assert [(place["turn"], place["target"].split("/")[0], place["state"]) for place in places] == [
        (1, "polaris", "hot"),
        (2, "sophia", "cold"),
        (None, "aurora", "maintenance"),
    ]
    assert places[1]["reason"] == "cold; its cluster has free nodes"
    assert places[1]["rules"] == [f"a group of {GROUP}"]


def test_table_says_why_and_for_whom() -> None:
    text = explain(MODEL)
    assert text.index("polaris") < text.index("sophia") < text.index("aurora")
    assert "reported 5 s ago" in text
    assert "never reported" in text
    assert "New disks." in text
    assert f"only for a group of {GROUP}" in text


def test_one_clusters_path_has_its_own_place_only() -> None:
    [place] = json.loads(explain(MODEL, "--cluster", "sophia", "--framework", "vllm", "--json"))
    assert place["target"] == f"sophia/vllm/{MODEL}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["m/chad"], r"No model 'm/chad' is served there\. Near it: m/chat\."),
        (["zzz"], r"No model 'zzz' is served there\.$"),
        ([MODEL, "--cluster", "sophia"], "go together"),
    ],
)
def test_mistakes_are_told_with_the_way_out(arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        explain(*arguments)
