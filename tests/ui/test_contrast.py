"""WCAG 2.2 AA contrast, computed from the custom properties of the style sheet, in both colour schemes."""

import re
from pathlib import Path

import pytest

SHEET = Path(__file__).parents[2] / "resource_server/static/resource_server/ui.css"
TEXTS = ("ink", "soft", "link", "good", "wait", "calm", "bad", "care")
SCHEMES = ("light", "dark")


def read_colours(scheme: str) -> dict[str, str]:
    """The scheme's properties; the dark ones stand in the second block."""
    blocks = re.findall(r":root \{(.*?)\}", SHEET.read_text(), re.DOTALL)
    assert len(blocks) == len(SCHEMES)
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[SCHEMES.index(scheme)]))


def find_luminance(colour: str) -> float:
    """Relative luminance as WCAG defines it."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def find_contrast(one: str, other: str) -> float:
    """From 1 to 21."""
    dark, light = sorted((find_luminance(one), find_luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_computed_as_the_standard_says() -> None:
    assert find_contrast("#000000", "#ffffff") == pytest.approx(21)
    assert find_contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_text_can_be_read_on_every_ground(scheme: str) -> None:
    colours = read_colours(scheme)
    pairs = [(text, ground) for text in TEXTS for ground in ("paper", "card")]
    pairs += [("on-link", "link"), ("paper", "good")]
    found = {pair: find_contrast(colours[pair[0]], colours[pair[1]]) for pair in pairs}
    assert {pair: ratio for pair, ratio in found.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_lines_that_bear_meaning_can_be_seen(scheme: str) -> None:
    colours = read_colours(scheme)
    for name in ("line", "link", "wait", "care"):
        assert find_contrast(colours[name], colours["paper"]) >= 3, name


def test_sheet_names_no_colour_outside_its_properties() -> None:
    rules = re.sub(r":root \{.*?\}", "", SHEET.read_text(), flags=re.DOTALL)
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b|rgb|hsl", rules) == []
