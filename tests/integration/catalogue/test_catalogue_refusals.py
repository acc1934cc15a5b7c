"""Files that ``manage.py catalogue`` refuses: the message has the file, the line, the place, and the way out."""

from pathlib import Path

import pytest

from resource_server.models import AuditEvent, Cluster
from tests.integration.catalogue.files import SMALL, catalogue, federated, write

pytestmark = pytest.mark.django_db

ENDPOINT = "endpoints:\n  - cluster: polaris\n    framework: vllm\n    model: m\n"
TARGETS = "federated_endpoints:\n  - name: M\n    target_model_name: m\n    targets:\n"
TARGET = "      - cluster: a\n        framework: f\n        backend: simulated\n        model: m\n"
BOMB = "clusters:\n  - &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"  - &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

REFUSALS = [
    ("clusters: [", ": is not YAML: "),
    ("clusters: &x\n  - *x\n", "nested deeper than 16"),
    (BOMB, "holds more than 100000 values"),
    ("- name: polaris\n", "1: is a mapping with the keys clusters, endpoints, federated_endpoints"),
    ("cluster:\n  - name: x\n", "1: cluster: is no section of a catalogue file: use clusters, endpoints"),
    ("clusters: polaris\n", "1: clusters: is a list: begin each of its items with '- '"),
    ("clusters:\n  - polaris\n", "2: clusters[0]: is a mapping with at least: name"),
    ("clusters:\n  - name: a\n    name: b\n", "3: clusters[0].name: stands here twice: keep one"),
    ("clusters:\n  - name: a\n  - name: a\n", "3: clusters[1]: is the same row as clusters[0]: keep one"),
    ("clusters:\n  - name: a\n    descripton: x\n", "3: clusters[0].descripton: is no field here: use name, desc"),
    ("clusters:\n  - description: x\n", "2: clusters[0]: name: is missing or no text, and names the row"),
    ("clusters:\n  - name: 1.10\n", "2: clusters[0].name: name: is missing or no text"),
    ("clusters:\n  - name: v1\n", "2: clusters[0].name: 'v1' is a fixed word of the gateway's URLs"),
    ("clusters:\n  - name: a\n    description: 12:30\n", "3: clusters[0].description: is text: write it in quotes"),
    ("clusters:\n  - name: a\n    description:\n", "3: clusters[0].description: is empty: give it a value, or remove"),
    ("clusters:\n  - name: a\n    maintenance: 1\n", "3: clusters[0].maintenance: is true or false"),
    ("clusters:\n  - name: a\n    maintenance_from: soon\n", "3: clusters[0].maintenance_from: “soon” value has an in"),
    ("clusters:\n  - name: a\n    maintenance_from: 5\n", "3: clusters[0].maintenance_from: is a time such as"),
    (
        "clusters:\n  - name: a\n    maintenance_until: 2026-01-01\n    maintenance_from: 2026-01-02\n",
        "3: clusters[0].maintenance_until: is not after maintenance_from",
    ),
    ("clusters:\n  - name: a\n    allowed_domains: x\n", "3: clusters[0].allowed_domains: is a list of domains such"),
    ('clusters:\n  - name: "a"\n    description: "x\\0"\n', "3: clusters[0].description: holds a NUL"),
    ("clusters:\n  - name: !!python/name:os.system x\n", "2: clusters[0].name: 'x' is no value of a catalogue"),
    ("clusters:\n  - name: a\n    <<: {name: b}\n", "3: clusters[0].<<: is no plain name"),
    (f"{ENDPOINT}    api_port: '8000'\n", "5: endpoints[0].api_port: is a whole number, without quotes"),
    (f"{ENDPOINT}    endpoint_uuid: <uuid>\n", "5: endpoints[0].endpoint_uuid: still holds the placeholder '<uuid>'"),
    (ENDPOINT, "2: endpoints[0].endpoint_uuid: is missing, give it a value"),
    (
        f"{ENDPOINT}    backend: simulated\n    backend_settings: {{x: 2026-01-01}}\n",
        "6: endpoints[0].backend_settings: holds a date: write it in quotes",
    ),
    (f"{TARGETS}      - cluster: a\n        model: .nan\n", "6: federated_endpoints[0].targets[0].model: '.nan' is no"),
    (
        f"{TARGETS}      - {{cluster: a, framework: f, model: m, backend: simulated}}\n{TARGET}        typo: 1\n",
        "10: federated_endpoints[0].targets[1].typo: is not a field of this backend's targets",
    ),
]


@pytest.mark.parametrize(("text", "complaint"), REFUSALS, ids=[complaint[:50] for _, complaint in REFUSALS])
def test_bad_file_is_refused_at_its_place_and_nothing_is_applied(tmp_path: Path, text: str, complaint: str) -> None:
    path = write(tmp_path, text)
    for action in (("plan",), ("apply", "--yes")):
        outcome = catalogue(*action, path)
        assert outcome.status == 1
        assert str(path) in outcome.text
        assert complaint in outcome.text
        assert "Nothing was changed." in outcome.text
    assert not Cluster.objects.exists()
    assert not AuditEvent.objects.exists()


def test_every_problem_is_named_in_the_order_of_the_lines(tmp_path: Path) -> None:
    text = SMALL.replace("- name: polaris", "- name: v1").replace(
        "model: m, backend: simulated}\nfed", "model: m}\nfed"
    )
    said = catalogue("plan", write(tmp_path, text)).text
    lines = [int(line.split(":")[1]) for line in said.splitlines() if line.startswith("/")]
    assert len(lines) == 3
    assert lines == sorted(lines)


def test_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    assert "No such file" in catalogue("plan", tmp_path / "nothing.yaml").text
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("clusters: [{name: a, description: é}]".encode("latin-1"))
    assert "save it as UTF-8" in catalogue("plan", latin).text


def test_two_rows_that_get_one_slug_are_refused_together(tmp_path: Path) -> None:
    path = write(tmp_path, f"federated_endpoints:\n{federated('M', 'a')}{federated('m', 'b')}")
    said = catalogue("plan", path).text
    assert "2: federated_endpoints[0].slug: 'm' is the slug of federated_endpoints/b as well" in said
    assert "3: federated_endpoints[1].slug: 'm' is the slug of federated_endpoints/a as well" in said
