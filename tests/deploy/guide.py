"""A page of the operator's documentation as something that can be run: its marked blocks, in order."""

import re
from pathlib import Path

_BLOCK = re.compile(r"^<!-- walk: ([a-z-]+) -->\n```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def read_blocks(page: Path) -> dict[str, str]:
    """The text of every block that a comment ``<!-- walk: name -->`` stands before."""
    blocks = {name: text for name, _language, text in _BLOCK.findall(page.read_text())}
    assert len(blocks) == page.read_text().count("<!-- walk:")
    return blocks
