"""Rules about the files of the repository that no linter has; part of ``make check``."""

import re
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 400
MAX_MEDIAN_LINES = 90
MAX_BROAD_HANDLERS = 3
# A handler of BaseException that cleans up and raises again is no such thing; the linter reports those that do not.
BROAD_HANDLER = re.compile(r"^\s*except(:|.*\bException\b)", re.MULTILINE)

# The machine that installs says where packages come from. A lock file of npm's is judged by the same rule.
INDEX_ADDRESS = re.compile(
    r"""--?(extra-)?index-url[ =]+["']?\w+:|\[\[tool\.uv\.index\]\]|"resolved":\s*"https?:"""
    r"""|https?://(files|registry|pypi|deb|security|repo)\.[a-z0-9.-]+/(simple|packages|debian|[a-z0-9-]+/-/)""",
    re.IGNORECASE,
)


def main() -> int:
    """Print what breaks a rule; returns the exit status."""
    broken = list(find_broken(ROOT, tracked_files(ROOT)))
    print("\n".join(broken), end="\n" if broken else "")
    return 1 if broken else 0


def tracked_files(root: Path) -> list[Path]:
    """The files that git tracks, as they are in the work tree."""
    command = ("git", "-c", "safe.directory=*", "ls-files", "-z")  # the checkout may be another user's
    listed = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=True)
    return [path for name in listed.stdout.split("\0") if name and (path := root / name).is_file()]


def find_broken(root: Path, files: Sequence[Path]) -> Iterator[str]:
    """One sentence for each broken rule."""
    texts = {str(path.relative_to(root)): path.read_text(errors="replace") for path in files}
    python = {name: text for name, text in texts.items() if name.endswith(".py") and "/migrations/" not in name}
    yield from find_long(python)
    broad = sum(len(BROAD_HANDLER.findall(text)) for name, text in python.items() if not name.startswith("tests/"))
    if broad > MAX_BROAD_HANDLERS:
        yield f"{broad} handlers catch any exception, at most {MAX_BROAD_HANDLERS}: name what can fail"
    machine = re.compile(f"{re.escape(str(root))}(?![\\w-])|(?<![\\w.~-])/(?:root)/")
    for name, text in texts.items():
        for number, line in enumerate(text.splitlines(), 1):
            if INDEX_ADDRESS.search(line):
                yield f"{name}:{number}: names a package index; the machine that installs does that"
            if machine.search(line):
                yield f"{name}:{number}: a path of one machine"


def find_long(texts: dict[str, str]) -> Iterator[str]:
    """Files that are too long, one by one and taken together."""
    lines = {name: text.count("\n") for name, text in texts.items() if text.strip()}
    for name, count in lines.items():
        if count > MAX_LINES:
            yield f"{name}: {count} lines, at most {MAX_LINES}: split it by what its parts are about"
    if lines and (median := statistics.median(lines.values())) > MAX_MEDIAN_LINES:
        yield f"half of the Python files have more than {median:.0f} lines, at most {MAX_MEDIAN_LINES}"


if __name__ == "__main__":
    sys.exit(main())
