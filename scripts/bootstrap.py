"""Fill ``.venv`` with the pinned packages of ``requirements/<set>.txt``: ``bootstrap.py SET...``.

Runs on the standard library of any Python from 3.11, also where Debian has taken `ensurepip` out of it. A set is
installed once per content of its file; an interrupted run is repeated from its start, and runs side by side wait for
one another. pip uses the package index that the machine is configured for; this file names none.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
CACHE = ROOT / ".cache"

# What a set's file holds beside its own packages, at the same versions (scripts/lock.py sees to it).
INCLUDES = {
    "runtime": ("runtime",),
    "demo": ("demo", "runtime"),
    "dev": ("dev", "demo", "runtime"),
    "bench": ("bench", "demo", "runtime"),
    "model": ("model",),
}


class BootstrapFailed(Exception):
    """The environment cannot be made; the message says what would help."""


def main(sets: list[str]) -> int:
    """Install `sets`; returns the exit status."""
    if not sets or any(name not in INCLUDES for name in sets):
        print(f"usage: bootstrap.sh {{{'|'.join(INCLUDES)}}}...", file=sys.stderr)
        return 2
    try:
        with exclusive():
            make_environment()
            for name in sets:
                install(name)
    except BootstrapFailed as exc:
        print(exc, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


@contextmanager
def exclusive() -> Iterator[None]:
    """One bootstrap at a time for this checkout; the lock goes with the process that holds it."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "bootstrap.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another run that is installing into .venv ...", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make_environment() -> None:
    """A virtual environment with pip in it, made anew where the one that is there does not work."""
    if is_usable():
        return
    print(f"Making .venv with Python {sys.version.split()[0]} ({sys.executable})", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    if has_module("ensurepip") and run(sys.executable, "-m", "venv", VENV) and is_usable():
        return
    shutil.rmtree(VENV, ignore_errors=True)
    if has_module("virtualenv") and run(sys.executable, "-m", "virtualenv", "--quiet", VENV) and is_usable():
        return
    shutil.rmtree(VENV, ignore_errors=True)
    pip = [sys.executable, "-m", "pip"] if has_module("pip") else [sys.executable, debian_pip() / "pip"]
    run(sys.executable, "-m", "venv", "--without-pip", VENV)
    run(*pip, "--python", VENV_PYTHON, "install", "pip", env=pip_environment())
    if not is_usable():
        raise BootstrapFailed(HELP)


HELP = """\
A virtual environment with pip could not be made. One of these helps:
  Debian, Ubuntu:  apt-get install python3-venv
  elsewhere:       install pip for this Python, or set PYTHON=/path/to/a/complete/python3 (3.11 or newer)"""


def is_usable() -> bool:
    """Whether .venv holds a Python that runs and has pip: half-made, moved or outlived ones do not."""
    return VENV_PYTHON.exists() and run(VENV_PYTHON, "-c", "import pip", quiet=True)


def has_module(name: str) -> bool:
    """Whether this Python has `name`."""
    return importlib.util.find_spec(name) is not None


def debian_pip() -> Path:
    """Debian's packaged pip, unpacked into the checkout: nothing is installed, no privilege is needed."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise BootstrapFailed(HELP)
    with tempfile.TemporaryDirectory() as folder:
        # apt's own lists may be missing, or another user's: these are read into a folder of ours.
        for part in ("lists/partial", "cache/archives/partial"):
            (Path(folder) / part).mkdir(parents=True)
        Path(folder).chmod(0o755)
        apt = ["apt-get", "-qq", "-o", f"Dir::State::lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache"]
        apt += ["-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=", "-o", "Acquire::Retries=3"]
        print("This Python has no pip: fetching Debian's python3-pip-whl", flush=True)
        if not (run(*apt, "update") and run(*apt, "download", "python3-pip-whl", cwd=folder)):
            raise BootstrapFailed(HELP)
        unpacked = CACHE / "debian-pip"
        shutil.rmtree(unpacked, ignore_errors=True)
        for package in Path(folder).glob("*.deb"):
            run("dpkg-deb", "-x", package, unpacked)
    return next(unpacked.glob("usr/share/python-wheels/pip-*.whl"))


def install(name: str) -> None:
    """Install the set `name` unless its file, or one that includes it, is installed as it stands now."""
    if read_stamp(name) == content_hash(name):
        return
    path = ROOT / "requirements" / f"{name}.txt"
    count = sum("==" in line for line in path.read_text().splitlines())
    print(f"Installing {count} packages (requirements/{name}.txt)", flush=True)
    for included in INCLUDES[name]:
        stamp(included).unlink(missing_ok=True)
    command = (VENV_PYTHON, "-m", "pip", "install", "--no-deps", "--require-hashes", "--requirement", path)
    if not run(*command, env=pip_environment()):
        raise BootstrapFailed(f"Installing requirements/{name}.txt failed; pip says why above.")
    for included in INCLUDES[name]:
        stamp(included).write_text(content_hash(included))


def stamp(name: str) -> Path:
    """The file that says with which content the set was installed."""
    return VENV / f".installed-{name}"


def read_stamp(name: str) -> str | None:
    """The content hash with which the set was installed, None where it was not."""
    return stamp(name).read_text() if stamp(name).exists() else None


def content_hash(name: str) -> str:
    """What the set's file holds now."""
    return hashlib.sha256((ROOT / "requirements" / f"{name}.txt").read_bytes()).hexdigest()


def pip_environment() -> dict[str, str]:
    """This environment, with pip's cache in the checkout where there is no home to keep it in."""
    environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    if "HOME" not in os.environ or not os.access(os.environ["HOME"], os.W_OK):
        environment.setdefault("PIP_CACHE_DIR", str(CACHE / "pip"))
    return environment


def run(*command: str | Path, cwd: str | None = None, env: dict[str, str] | None = None, quiet: bool = False) -> bool:
    """Run `command` to its end; whether it succeeded."""
    output = subprocess.DEVNULL if quiet else None
    return subprocess.run(command, cwd=cwd, env=env, stdout=output, stderr=output, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
