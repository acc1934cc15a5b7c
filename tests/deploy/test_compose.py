"""docker-compose.yml as Compose reads it: what runs, what it may, who reaches it, and where secrets come from."""

import re
from pathlib import Path
from typing import Any

import pytest

from inference_gateway.environment import Environment
from tests.deploy.compose import FILLED, ROOT, read_services, run_compose

ALWAYS = {"nginx", "inference-gateway", "controller", "postgres", "redis"}
MONITORING = {"prometheus", "grafana", "node-exporter", "postgres-exporter", "redis-exporter"}
DRAIN_S = 930
"""DRAIN_S as it is by default, and the last words after it."""

Services = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Services:
    return read_services(tmp_path_factory.mktemp("compose"))


def test_five_services_run_and_five_more_with_monitoring(services: Services) -> None:
    assert {name for name, service in services.items() if "profiles" not in service} == ALWAYS
    assert {name for name, service in services.items() if service.get("profiles") == ["monitoring"]} == MONITORING
    assert services.keys() == ALWAYS | MONITORING


@pytest.mark.parametrize("name", sorted(ALWAYS | MONITORING))
def test_service_may_no_more_than_it_needs(services: Services, name: str) -> None:
    service = services[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("read_only", False) == (name != "grafana")
    assert service["restart"] == "unless-stopped"
    assert int(service["mem_limit"]) > 0
    assert service["logging"] == {"driver": "json-file", "options": {"max-size": "20m", "max-file": "5"}}
    if name not in {"inference-gateway", "controller"}:  # theirs is the image's: test_image.py
        assert service["user"].split(":")[0] not in {"", "0", "root"}


@pytest.mark.parametrize("name", sorted(ALWAYS | MONITORING))
def test_service_has_a_health_check(services: Services, name: str) -> None:
    if name == "inference-gateway":
        assert "healthcheck" not in services[name]  # the image's
    elif name == "controller":
        assert services[name]["healthcheck"] == {"disable": True}
    else:
        assert services[name]["healthcheck"]["test"]


def test_images_are_pinned(services: Services) -> None:
    images = {service["image"] for service in services.values()} - {"inference-gateway:local"}
    assert [image for image in images if not re.search(r":v?\d+\.\d+(\.\d+)?(-[\w.]+)?$", image)] == []


def test_only_nginx_is_open_to_the_network(services: Services) -> None:
    published = {
        (name, port["published"], port.get("host_ip"))
        for name, service in services.items()
        for port in service.get("ports", [])
    }
    assert published == {
        ("nginx", "8000", None),
        ("prometheus", "9090", "127.0.0.1"),
        ("grafana", "3000", "127.0.0.1"),
    }


@pytest.mark.parametrize("name", ["nginx", "inference-gateway"])
def test_streams_may_end_before_a_service_is_killed(services: Services, name: str) -> None:
    minutes, seconds = services[name]["stop_grace_period"].removesuffix("s").split("m")
    assert int(minutes) * 60 + int(seconds) > DRAIN_S


def test_gateway_believes_nginx_and_shows_its_metrics_to_prometheus(services: Services) -> None:
    def address(name: str) -> str:
        found: str = services[name]["networks"]["gateway"]["ipv4_address"]
        return found

    environment = services["inference-gateway"]["environment"]
    assert environment["FORWARDED_ALLOW_IPS"] == address("nginx")
    assert address("prometheus") in environment["METRICS_ALLOWED_ADDRESSES"].split(",")
    assert services["nginx"]["extra_hosts"] == [f"inference-gateway={address('inference-gateway')}"]
    assert "inference-gateway" in environment["ALLOWED_HOSTS"].split(",")


def test_prometheus_and_grafana_reach_what_they_ask(services: Services) -> None:
    def networks(name: str) -> set[str]:
        return set(services[name]["networks"])

    for asked in ("inference-gateway", "node-exporter", "postgres-exporter", "redis-exporter", "grafana"):
        assert networks("prometheus") & networks(asked), asked
    for asking, asked in (
        ("grafana", "prometheus"),
        ("grafana", "postgres"),
        ("postgres-exporter", "postgres"),
        ("redis-exporter", "redis"),
    ):
        assert networks(asking) & networks(asked), (asking, asked)
    shared = [volume["source"] for name in ("inference-gateway", "controller") for volume in services[name]["volumes"]]
    assert shared.count("gateway-data") == 2


def test_database_is_made_with_what_the_gateway_opens_it_with(tmp_path: Path) -> None:
    written = {"POSTGRES_DB": '"gw"', "POSTGRES_USER": '"me"', "POSTGRES_PASSWORD": "'p$w d#1'"}
    found = read_services(tmp_path, written)
    database, gateway = (found[name]["environment"] for name in ("postgres", "inference-gateway"))
    # Compose doubles a dollar in what it prints.
    environment = Environment({name: value.replace("$$", "$") for name, value in gateway.items()})
    assert environment.text("PGHOST") == "postgres"
    assert environment.text("PGDATABASE") == database["POSTGRES_DB"] == "gw"
    assert environment.text("PGUSER") == database["POSTGRES_USER"] == "me"
    assert environment.text("PGPASSWORD") == database["POSTGRES_PASSWORD"].replace("$$", "$") == "p$w d#1"


@pytest.mark.parametrize("missing", sorted(FILLED))
def test_missing_secret_is_named(tmp_path: Path, missing: str) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in FILLED.items() if name != missing))
    done = run_compose(env_file, "-q")
    assert done.returncode != 0
    assert f"set {missing} in .env" in done.stderr


def test_mounted_files_are_in_the_repository(services: Services) -> None:
    sources = {
        Path(mount["source"])
        for service in services.values()
        for mount in service.get("volumes", [])
        if mount["type"] == "bind" and mount["source"] != "/"
    }
    inside = {str(source.relative_to(ROOT)) for source in sources}
    assert {name for name in inside if name.startswith("prometheus/")} == {
        "prometheus/prometheus.yml",
        "prometheus/rules",
        "prometheus/grafana/provisioning",
        "prometheus/grafana/dashboards",
    }
    assert {name for name in inside if not name.startswith("prometheus/") and not (ROOT / name).exists()} == set()


def test_guide_counts_the_containers_and_names_them(services: Services) -> None:
    guide = (ROOT / "docs" / "operator-docker.md").read_text()
    assert f"{len(ALWAYS)} containers, and {len(services)} with monitoring" in guide
    commands = re.findall(r"docker-compose -f docker-compose\.yml (?:exec|run|stop)((?: -\S+)*) ([\w-]+)", guide)
    assert commands
    assert {service for _options, service in commands} <= services.keys()
    rows = {
        name for row in re.findall(r"^\| (`[^|]+) \|", guide, re.MULTILINE) for name in re.findall(r"`([a-z-]+)`", row)
    }
    assert services.keys() <= rows
