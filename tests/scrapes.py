"""What `/metrics` shows, read by Prometheus's own parser."""

import re
from pathlib import Path

import requests
from prometheus_client.parser import text_string_to_metric_families

DOCUMENT = Path(__file__).parent.parent / "docs" / "metrics.md"


class Scrape:
    """One scrape. `types` are by the name that documents know the series by."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families = list(text_string_to_metric_families(text))
        self.types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))

    def value(self, sample: str, **labels: str) -> float:
        """The sum of the samples of this name that have these labels; 0 of none."""
        return sum(
            one.value
            for family in self.families
            for one in family.samples
            if one.name == sample and labels.items() <= one.labels.items()
        )

    def label_values(self, sample: str, label: str) -> set[str]:
        """The values of a label."""
        return {one.labels[label] for family in self.families for one in family.samples if one.name == sample}


def scrape(base_url: str) -> Scrape:
    """Ask a gateway, on a connection of its own."""
    response = requests.get(f"{base_url}/metrics", timeout=20)
    response.raise_for_status()
    return Scrape(response.text)


def read_documented() -> dict[str, str]:
    """The kinds of all series of ``docs/metrics.md``."""
    return dict(re.findall(r"^\| `([a-z_]+)` \| (\w+) \|", DOCUMENT.read_text(), re.MULTILINE))
