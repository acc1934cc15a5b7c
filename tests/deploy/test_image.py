"""The Dockerfile without Docker: the files that it copies are enough to serve, started as the container is."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.gateway import build_environment
from tests.globus_cloud import GlobusCloud
from tests.servers.process import Process, find_free_port

pytestmark = pytest.mark.timeout(180)
ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def read_copied(stage: str) -> Iterator[tuple[str, str]]:
    """The sources and targets of a stage's COPY lines."""
    for line in re.findall(r"^COPY (?!--)(.+)$", stage, re.MULTILINE):
        *sources, target = line.split()
        yield from ((source, target) for source in sources)


def read_admitted() -> list[str]:
    """What .dockerignore lets into the build."""
    first, *rest = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] not in {"", "#"}]
    assert first == "*"
    return [line.removeprefix("!") for line in rest if line.startswith("!")]


def test_build_sees_what_it_copies_and_no_secret() -> None:
    admitted = read_admitted()
    unseen = [
        source
        for source, _target in read_copied(DOCKERFILE)
        if not any(fnmatch(path, source) or f"{path}/".startswith(source) for path in admitted)
    ]
    assert unseen == []
    assert not {".env", "var", ".git", "."} & set(admitted)


def test_process_is_an_ordinary_users() -> None:
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE) == ["10001:10001"]
    assert "--require-hashes" in DOCKERFILE


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """What the last stage copies, in a folder of its own."""
    folder = tmp_path / "app"
    folder.mkdir()
    for source, target in read_copied(DOCKERFILE.rpartition("\nFROM ")[2]):
        for path in ROOT.glob(source.rstrip("/")):
            if path.is_dir():
                shutil.copytree(path, folder / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(path, folder / target)
    return folder


def test_container_starts_collects_its_static_files_and_is_healthy(
    image: Path, tmp_path: Path, globus_session: GlobusCloud
) -> None:
    port = find_free_port()
    environment = build_environment(globus_session, tmp_path / "data", ALLOWED_HOSTS=".gateway.example.org")
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    del environment["PYTHONPATH"]
    command = ["sh", str(image / "deploy/docker/start.sh"), f"127.0.0.1:{port}"]
    health = [sys.executable, str(image / "deploy/docker/health.py"), str(port)]

    def is_healthy() -> bool:
        return subprocess.run(health, env=environment, capture_output=True, check=False).returncode == 0

    assert not is_healthy()
    process = Process(command, tmp_path / "container.log", cwd=image, env=environment)
    try:
        process.wait_until(is_healthy, timeout_s=120)
    finally:
        process.stop(timeout_s=30)
    assert (image / "static/admin/css/base.css").exists()
