"""When traces are sent, and what an installation without the extra does."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from inference_gateway.environment import Environment
from resource_server import VERSION
from resource_server.tracing.opening import find_obstacle, is_wanted

ROOT = Path(__file__).parents[3]
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
WITHOUT_EXTRA = "import sys; sys.modules['opentelemetry'] = None\n"
OPEN = """
import asyncio, json, sys
from inference_gateway.environment import Environment
from resource_server.tracing.opening import find_obstacle, open_tracer
settings = Environment(json.loads(sys.argv[1]))
tracer = asyncio.run(open_tracer(settings, "w"))
asyncio.run(tracer.aclose())
loaded = any(name.startswith("opentelemetry") and module for name, module in sys.modules.items())
print(json.dumps([tracer.is_on, loaded, find_obstacle(settings)]))
"""


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "mine"}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"}, False),
        ({**ENDPOINT, "OTEL_SDK_DISABLED": "True"}, False),
        ({**ENDPOINT, "OTEL_SDK_DISABLED": "false"}, True),
    ],
)
def test_standard_variables_ask_for_traces(variables: dict[str, str], *, expected: bool) -> None:
    assert is_wanted(Environment(variables)) is expected
    assert find_obstacle(Environment(variables)) == ""


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"])
def test_other_protocol_is_an_obstacle(name: str) -> None:
    assert "protocol" in find_obstacle(Environment({**ENDPOINT, name: "grpc"}))
    assert find_obstacle(Environment({**ENDPOINT, name: "http/protobuf"})) == ""


@pytest.mark.parametrize(
    ("before", "variables", "expected"),
    [
        ("", "{}", '[false, false, ""]'),
        ("", '{"OTEL_TRACES_EXPORTER": "otlp"}', '[true, true, ""]'),
        (WITHOUT_EXTRA, "{}", '[false, false, ""]'),
        (
            WITHOUT_EXTRA,
            '{"OTEL_TRACES_EXPORTER": "otlp"}',
            '[false, false, "the extra tracing is not installed"]',
        ),
    ],
)
def test_sdk_is_imported_where_it_is_asked_for_and_there(before: str, variables: str, expected: str) -> None:
    command = [sys.executable, "-c", before + OPEN, variables]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.stdout.strip() == expected, done.stderr


def test_version_is_the_projects() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION
