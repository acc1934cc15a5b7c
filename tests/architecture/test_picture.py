"""The picture of the architecture is the one of its source, and names what there is."""

import html
import re
from pathlib import Path

import pytest

from scripts.picture import PICTURE, SOURCE, describe_source

ROOT = Path(__file__).parents[2]
PACKAGES = re.findall(r'label="(\w+)/', SOURCE.read_text())


def test_picture_was_drawn_from_the_present_source() -> None:
    assert f"<!-- {describe_source()} -->" in PICTURE.read_text(), "run python scripts/picture.py"


def test_picture_shows_what_the_source_names() -> None:
    texts = {html.unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", PICTURE.read_text())}
    lines = {line for label in re.findall(r'\[label="([^"]+)"', SOURCE.read_text()) for line in label.split(r"\n")}
    assert {line.strip() for line in lines} <= {text.strip() for text in texts}


@pytest.mark.parametrize("package", PACKAGES)
def test_named_packages_exist(package: str) -> None:
    assert (ROOT / "resource_server" / package).is_dir()


def test_picture_is_shown_where_the_architecture_is_explained() -> None:
    assert "(images/architecture.svg)" in (ROOT / "docs" / "architecture.md").read_text()
