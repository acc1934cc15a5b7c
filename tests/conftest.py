"""What holds for every test. Fixtures of one part stand in that part's folder."""

import os
import shutil

import pytest

pytest_plugins = ["tests.loop_guards", "tests.servers.plugin", "tests.globus_cloud"]

_CAN_RUN = {
    "agent": bool(os.environ.get("GLOBUS_COMPUTE_ENDPOINT_VENV")),
    "browser": all(shutil.which(name) for name in ("chromium", "chromedriver")),
    "prometheus": all(
        shutil.which(program)
        for program in (
            "prometheus",
            "promtool",
            *(f"prometheus-{name}-exporter" for name in ("node", "postgres", "redis")),
        )
    ),
    "rabbitmq": shutil.which("rabbitmq-server", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is not None,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with the reason, what this machine lacks the parts for; .ci/run brings them all."""
    for item in items:
        for marker, can_run in _CAN_RUN.items():
            if item.get_closest_marker(marker) and not can_run:
                item.add_marker(pytest.mark.skip(reason=f"{marker}: see the marker in pyproject.toml"))
