"""Draw ``docs/images/architecture.svg`` from its source beside it; needs Graphviz's ``dot``.

The picture carries its source's hash, so that a test anywhere notices a picture that is older than its source.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "docs" / "images" / "architecture.dot"
PICTURE = SOURCE.with_suffix(".svg")


def main() -> int:
    """Draw; returns the exit status."""
    dot = shutil.which("dot")
    if dot is None:
        print("there is no dot on this machine: install graphviz")
        return 1
    drawn = subprocess.run([dot, "-Tsvg", SOURCE], capture_output=True, text=True, check=True).stdout
    # Where DejaVu is not installed, Verdana has its widths.
    drawn = drawn.replace('font-family="DejaVu Sans"', 'font-family="DejaVu Sans,Verdana,sans-serif"')
    PICTURE.write_text(drawn.replace("<svg ", f"<!-- {describe_source()} -->\n<svg ", 1))
    print(f"wrote {PICTURE.name}")
    return 0


def describe_source() -> str:
    """What the picture of the present source says of it."""
    return f"source: {SOURCE.name}, SHA-256 {hashlib.sha256(SOURCE.read_bytes()).hexdigest()}"


if __name__ == "__main__":
    sys.exit(main())
