"""Resolve ``requirements/*.txt``: exact versions with hashes for every Python from 3.11, and no index addresses.

``lock.py`` keeps the versions that are there where they still fit, ``lock.py --upgrade`` takes the newest, and
``lock.py --check`` says, without a network, where the files do not hold what ``pyproject.toml`` asks for.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"

# Files resolved from pyproject.toml, with the extras that each holds; their versions agree.
SETS: dict[str, tuple[str, ...]] = {
    "runtime": (),
    "demo": ("demo",),
    "tracing": ("tracing",),
    "dev": ("demo", "tracing", "dev"),
    "bench": ("demo", "bench"),
}
# Files resolved from requirements/<name>.in, each for an environment of its own.
SEPARATE: dict[str, tuple[str, ...]] = {"model": ("--no-deps",), "agent": (), "openai1": ()}

COMPILE = ("--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--no-annotate", "--quiet")
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)")


def main(arguments: list[str]) -> int:
    """Resolve, or check; returns the exit status."""
    if "--check" in arguments:
        problems = [*find_drift(), *find_disagreement()]
        print("\n".join(problems), end="\n" if problems else "")
        return 1 if problems else 0
    resolve(tuple(arguments))
    return 0


def resolve(options: tuple[str, ...]) -> None:
    """Write every file. All sets take their versions from one resolution of everything."""
    uv = find_uv()
    with tempfile.TemporaryDirectory() as folder:
        everything = Path(folder) / "everything.txt"
        present = (REQUIREMENTS / f"{name}.txt" for name in SETS)
        everything.write_text("".join(path.read_text() for path in present if path.exists()))
        compile_file(uv, "pyproject.toml", everything, "--all-extras", *options)
        for name, extras in SETS.items():
            chosen = [f"--extra={extra}" for extra in extras]
            compile_file(uv, "pyproject.toml", REQUIREMENTS / f"{name}.txt", f"--constraints={everything}", *chosen)
    for name, own_options in SEPARATE.items():
        compile_file(uv, f"requirements/{name}.in", REQUIREMENTS / f"{name}.txt", *own_options, *options)


def compile_file(uv: str, source: str, target: Path, *options: str) -> None:
    """Resolve `source` into `target`."""
    print(f"resolving {target.name}", flush=True)
    command = (uv, "pip", "compile", source, f"--output-file={target}", *COMPILE, *options)
    subprocess.run(command, cwd=ROOT, check=True)


def find_uv() -> str:
    """The resolver: the machine's, else one that is fetched for this."""
    if found := shutil.which("uv"):
        return found
    folder = ROOT / ".cache" / "uv"
    if not (folder / "bin" / "uv").exists():
        command = (sys.executable, "-m", "pip", "install", "--quiet", f"--target={folder}", "uv")
        subprocess.run(command, check=True, env=os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    return str(folder / "bin" / "uv")


def find_drift() -> Iterator[str]:
    """Requirements of pyproject.toml that a file does not pin, or pins to something else."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for name, extras in SETS.items():
        pins = read_pins(name)
        asked = [
            *project["dependencies"],
            *(text for extra in extras for text in project["optional-dependencies"][extra]),
        ]
        for requirement in map(Requirement, asked):
            pinned = pins.get(canonicalize_name(requirement.name))
            if pinned is None or not requirement.specifier.contains(pinned):
                yield f"requirements/{name}.txt has {requirement.name} {pinned}, not {requirement}: run make lock"


def find_disagreement() -> Iterator[str]:
    """Packages at different versions in files of one resolution: one install would undo the other."""
    seen: dict[str, tuple[str, str]] = {}
    for name in SETS:
        for package, version in read_pins(name).items():
            first_version, first_name = seen.setdefault(package, (version, name))
            if version != first_version:
                yield f"{package} is {version} in {name}.txt and {first_version} in {first_name}.txt: run make lock"


def read_pins(name: str) -> dict[str, str]:
    """Version by canonical package name."""
    lines = (REQUIREMENTS / f"{name}.txt").read_text().splitlines()
    return {canonicalize_name(match[1]): match[2] for line in lines if (match := PIN.match(line))}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
