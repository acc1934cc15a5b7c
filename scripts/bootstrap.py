"""Install the pinned packages of ``requirements/<set>.txt``: ``bootstrap.py SET...``.

``.venv`` is the project's environment; the sets of `SEPARATE` go to ``.venvs/<set>``.

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
CACHE = ROOT / ".cache"

# What a set's file holds beside its own packages, at the same versions (scripts/lock.py sees to it).
INCLUDES = {
    "runtime": ("runtime",),
    "demo": ("demo", "runtime"),
    "tracing": ("tracing", "runtime"),
    "dev": ("dev", "demo", "tracing", "runtime"),
    "bench": ("bench", "demo", "runtime"),
    "model": ("model",),
}
SEPARATE = ("openai1",)


class BootstrapFailed(Exception):
    """The environment cannot be made; the message says what would help."""


def main(sets: list[str]) -> int:
    """Install `sets`; returns the exit status."""
    if not sets or any(name not in (*INCLUDES, *SEPARATE) for name in sets):
        print(f"usage: bootstrap.sh {{{'|'.join((*INCLUDES, *SEPARATE))}}}...", file=sys.stderr)
        return 2
    try:
        with exclusive():
            for name in sets:
                venv = ROOT / ".venvs" / name if name in SEPARATE else ROOT / ".venv"
                make_environment(venv)
                install(name, venv)
    except BootstrapFailed as exc:
        print(exc, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


@contextmanager
def exclusive() -> Iterator[None]:
    """One bootstrap at a time for this checkout; the lock goes with the processes that hold it."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "bootstrap.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another run that is installing here ...", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        os.set_inheritable(lock.fileno(), True)  # a pip that outlives a killed bootstrap keeps the lock until it ends
        yield


def make_environment(venv: Path) -> None:
    """A virtual environment with pip in it, made anew where the one that is there does not work."""
    if is_usable(venv):
        return
    print(f"Making {venv.relative_to(ROOT)} with Python {sys.version.split()[0]} ({sys.executable})", flush=True)
    shutil.rmtree(venv, ignore_errors=True)
    if has_module("ensurepip") and run(sys.executable, "-m", "venv", venv) and is_usable(venv):
        return
    shutil.rmtree(venv, ignore_errors=True)
    if has_module("virtualenv") and run(sys.executable, "-m", "virtualenv", "--quiet", venv) and is_usable(venv):
        return
    shutil.rmtree(venv, ignore_errors=True)
    pip = [sys.executable, "-m", "pip"] if has_module("pip") else [sys.executable, debian_pip() / "pip"]
    run(sys.executable, "-m", "venv", "--without-pip", venv)
    run(*pip, "--python", python_of(venv), "install", "pip", env=pip_environment())
    if not is_usable(venv):
        raise BootstrapFailed(HELP)


HELP = """\
A virtual environment with pip could not be made. One of these helps:
  Debian, Ubuntu:  apt-get install python3-venv
  elsewhere:       install pip for this Python, or set PYTHON=/path/to/a/complete/python3 (3.11 or newer)"""


def is_usable(venv: Path) -> bool:
    """Whether it holds a Python that runs and has pip: a half-made or outlived one does not."""
    return python_of(venv).exists() and run(python_of(venv), "-c", "import pip", quiet=True)


def python_of(venv: Path) -> Path:
    """The environment's interpreter."""
    return venv / "bin" / "python"


def has_module(name: str) -> bool:
    """Whether this Python has `name`."""
    return importlib.util.find_spec(name) is not None


def debian_pip() -> Path:
    """Debian's packaged pip, unpacked into the checkout: nothing is installed, no privilege is needed."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise BootstrapFailed(HELP)
    unpacked = CACHE / "debian-pip"
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
        shutil.rmtree(unpacked, ignore_errors=True)
        for package in Path(folder).glob("*.deb"):
            run("dpkg-deb", "-x", package, unpacked)
    return next(unpacked.glob("usr/share/python-wheels/pip-*.whl"))


def install(name: str, venv: Path) -> None:
    """Install the set `name` unless its file, or one that includes it, is installed as it stands now."""
    stamp = venv / f".installed-{name}"
    if stamp.exists() and stamp.read_text() == content_hash(name):
        return
    path = ROOT / "requirements" / f"{name}.txt"
    count = sum("==" in line for line in path.read_text().splitlines())
    print(f"Installing {count} packages (requirements/{name}.txt)", flush=True)
    # What is half installed is known as not installed: the next run repeats it.
    stamps = {venv / f".installed-{included}": content_hash(included) for included in INCLUDES.get(name, (name,))}
    for included in stamps:
        included.unlink(missing_ok=True)
    command = (python_of(venv), "-m", "pip", "install", "--no-deps", "--require-hashes", "--requirement", path)
    if not run(*command, env=pip_environment()):
        raise BootstrapFailed(f"Installing requirements/{name}.txt failed; pip says why above.")
    for included, text in stamps.items():
        included.write_text(text)


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
    done = subprocess.run(command, cwd=cwd, env=env, stdout=output, stderr=output, check=False, close_fds=False)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
