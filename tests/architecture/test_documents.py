"""The documents that people write name what is there: modules, files, settings, commands, metrics."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference_gateway.environment import KEYS
from resource_server.telemetry.series import SERIES

ROOT = Path(__file__).parents[2]
ARCHITECTURE = ROOT / "docs" / "architecture.md"
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
FOR_OPERATORS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
PACKAGES = ("inference_gateway", "resource_server")
FOLDERS = ("resource_server", "inference_gateway", ".")
EXTERNAL = re.compile(r"[a-z]+:|#")

# Written like a series: a variable of nginx.
NOT_SERIES = {"gateway_request_id"}

NAMES = {name for key in KEYS for name in (key.name, *key.older)}
# Words in capitals that belong to others: make, the SDKs, Django, the compute functions' environment, vLLM, this text.
FOREIGN = re.compile(
    r"DEMO_|TEST_|GLOBUS_COMPUTE_(CLIENT|USER)|INFERENCE_(SERVER|LOG|JOB)_|MY_TOKEN|RELAY_CA_FILE|AUTH_USER_MODEL"
    r"|HTTPS_PROXY|VLLM_"
)


def describe(path: Path) -> str:
    return str(path.relative_to(ROOT))


def list_documented_modules() -> Iterator[Path]:
    folder = ROOT
    for line in ARCHITECTURE.read_text().splitlines():
        if heading := re.fullmatch(r"### `(.+)/`", line):
            folder = ROOT / heading[1]
        elif row := re.match(r"\| `(\S+\.py)` \| \S", line):
            yield folder / row[1]


def test_architecture_describes_every_module_once() -> None:
    modules = {
        path
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if "migrations" not in path.parts and (path.name != "__init__.py" or path.parent.name == "admin")
    }
    documented = list(list_documented_modules())
    assert sorted(map(describe, documented)) == sorted(map(describe, modules))


@pytest.mark.parametrize("document", DOCUMENTS, ids=describe)
def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", document.read_text())
    gone = [target for target in targets if not EXTERNAL.match(target) and not is_there(document, target)]
    assert gone == []


def is_there(document: Path, target: str) -> bool:
    return (document.parent / target.partition("#")[0]).exists()


# The tables of architecture.md name files by their folder's heading: the first test has them.
@pytest.mark.parametrize("document", [path for path in DOCUMENTS if path != ARCHITECTURE], ids=describe)
def test_named_python_files_exist(document: Path) -> None:
    names = re.findall(r"`([\w./-]*/[\w.-]+\.py)`", document.read_text())
    gone = [name for name in names if not any((ROOT / folder / name).exists() for folder in FOLDERS)]
    assert gone == []


@pytest.mark.parametrize("document", FOR_OPERATORS, ids=describe)
def test_named_settings_exist(document: Path) -> None:
    names = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)", document.read_text()))
    assert {name for name in names - NAMES if not FOREIGN.match(name)} == set()


@pytest.mark.parametrize("document", FOR_OPERATORS, ids=describe)
def test_named_metrics_exist(document: Path) -> None:
    named = set(re.findall(r"`(gateway_[a-z_]+)`", document.read_text())) - NOT_SERIES
    assert named - {series.name for series in SERIES} == set()
