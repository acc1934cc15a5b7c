"""The manifests: what they refer to is there, and means the same everywhere."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.urls import resolve

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
MANIFESTS: list[dict[str, Any]] = [
    document for name in KUSTOMIZATION["resources"] for document in yaml.safe_load_all((FOLDER / name).read_text())
]
WORKLOADS = [manifest for manifest in MANIFESTS if manifest["kind"] in {"Deployment", "Job"}]
DRAIN_S = 930
"""DRAIN_S as it is by default, and the last words after it."""


def find(kind: str, name: str) -> dict[str, Any]:
    return next(one for one in MANIFESTS if (one["kind"], one["metadata"]["name"]) == (kind, name))


def describe(manifest: dict[str, Any]) -> str:
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def list_pods() -> Iterator[tuple[dict[str, str], dict[str, Any]]]:
    """Labels and specification of every pod."""
    for workload in WORKLOADS:
        template = workload["spec"]["template"]
        yield template["metadata"]["labels"], template["spec"]


def select(labels: dict[str, str]) -> list[dict[str, Any]]:
    """The pods that a selector means."""
    return [pod for own, pod in list_pods() if labels.items() <= own.items()]


def list_ports(pod: dict[str, Any]) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for one in pod["containers"] for port in one.get("ports", [])}


def test_every_manifest_is_in_the_kustomization() -> None:
    assert {path.name for path in FOLDER.glob("*.yaml")} == {"kustomization.yaml", *KUSTOMIZATION["resources"]}
    files = [name for generator in KUSTOMIZATION["configMapGenerator"] for name in generator["files"]]
    assert [name for name in files if not (FOLDER / name).is_file()] == []
    shipped = {path.name for path in (FOLDER.parent / "nginx" / "gateway").iterdir()}
    assert {Path(name).name for name in KUSTOMIZATION["configMapGenerator"][1]["files"]} == shipped


@pytest.mark.parametrize("workload", WORKLOADS, ids=describe)
def test_workload_passes_as_restricted_and_mounts_what_it_declares(workload: dict[str, Any]) -> None:
    pod = workload["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    used = {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]}
    assert used == set(volumes)
    assert volumes["env"]["secret"]["secretName"] == "inference-gateway-env"
    generated = {generator["name"] for generator in KUSTOMIZATION["configMapGenerator"]}
    assert {volume["configMap"]["name"] for volume in volumes.values() if "configMap" in volume} <= generated
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
        assert container["image"] == "nginx:1.28.0-alpine" or container["image"] == KUSTOMIZATION["images"][0]["name"]


def test_deployments_select_their_own_pods_only() -> None:
    for deployment in (one for one in WORKLOADS if one["kind"] == "Deployment"):
        template = deployment["spec"]["template"]
        assert deployment["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"]
        assert select(template["metadata"]["labels"]) == [template["spec"]]


def test_traffic_finds_the_gateway() -> None:
    gateway = find("Deployment", "inference-gateway")["spec"]["template"]["spec"]
    service = find("Service", "inference-gateway")["spec"]
    assert select(service["selector"]) == [gateway]
    assert {port["targetPort"] for port in service["ports"]} <= list_ports(gateway).keys()
    rule = find("Ingress", "inference-gateway")["spec"]["rules"][0]
    backend = rule["http"]["paths"][0]["backend"]["service"]
    assert backend == {"name": "inference-gateway", "port": {"name": service["ports"][0]["name"]}}
    assert select(find("PodDisruptionBudget", "inference-gateway")["spec"]["selector"]["matchLabels"]) == [gateway]
    policy = find("NetworkPolicy", "gateway")["spec"]
    assert select(policy["podSelector"]["matchLabels"]) == [gateway]
    assert {port["port"] for rule in policy["ingress"] for port in rule["ports"]} <= list_ports(gateway).keys()
    site = (FOLDER / "nginx" / "site.conf").read_text()
    assert all(str(port) in site for port in list_ports(gateway).values())


def test_probes_ask_routes_that_exist_by_the_public_name() -> None:
    pod = find("Deployment", "inference-gateway")["spec"]["template"]["spec"]
    host = find("Ingress", "inference-gateway")["spec"]["rules"][0]["host"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = pod["containers"][0][probe]["httpGet"]
        assert resolve(asked["path"]).url_name in {"health", "ready"}
        assert asked["httpHeaders"] == [{"name": "Host", "value": host}]
        assert asked["port"] in list_ports(pod)


def test_streams_may_end_before_a_pod_is_killed() -> None:
    pod = find("Deployment", "inference-gateway")["spec"]["template"]["spec"]
    pauses = [int(one["lifecycle"]["preStop"]["exec"]["command"][1]) for one in pod["containers"]]
    assert len(pauses) == 2
    assert pod["terminationGracePeriodSeconds"] > DRAIN_S + max(pauses)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="this machine has no kubectl")
def test_kubectl_renders_every_resource() -> None:
    command = ["kubectl", "kustomize", "--load-restrictor", "LoadRestrictionsNone", str(FOLDER)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rendered = list(yaml.safe_load_all(done.stdout))
    assert len(rendered) == len(MANIFESTS) + len(KUSTOMIZATION["configMapGenerator"])
    assert {one["metadata"].get("namespace", "inference-gateway") for one in rendered} == {"inference-gateway"}
