"""Catalogue files for tests, and ``manage.py catalogue`` as a person sees it."""

from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from django.core.management import CommandError, call_command

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "fixtures" / "catalogue.example.yaml"

SMALL = """\
clusters:
  - name: polaris
endpoints:
  - {cluster: polaris, framework: vllm, model: m, backend: simulated}
federated_endpoints:
  - name: M
    target_model_name: m
    targets:
      - {cluster: polaris, framework: vllm, model: m, backend: simulated}
"""


def federated(name: str, model: str, slug: str = "") -> str:
    """One item of ``federated_endpoints``."""
    target = f"{{cluster: c, framework: f, model: {model}, backend: simulated}}"
    return f"  - {{name: {name}, slug: '{slug}', target_model_name: {model}, targets: [{target}]}}\n"


@dataclass(frozen=True)
class Outcome:
    """`status` as the shell would see it; what was printed, the error included."""

    status: int
    text: str

    @property
    def fingerprint(self) -> str:
        """What a plan printed at its end."""
        return self.text.rpartition("Fingerprint: ")[2].split("\n")[0]


def catalogue(*arguments: object) -> Outcome:
    """Run the command in this process."""
    out = StringIO()
    try:
        call_command("catalogue", *map(str, arguments), stdout=out)
    except CommandError as exc:
        return Outcome(exc.returncode, f"{out.getvalue()}{exc}")
    except SystemExit as exc:
        return Outcome(int(exc.code or 0), out.getvalue())
    return Outcome(0, out.getvalue())


def write(folder: Path, text: str, name: str = "file.yaml") -> Path:
    """A file with `text`."""
    path = folder / name
    path.write_text(text)
    return path
