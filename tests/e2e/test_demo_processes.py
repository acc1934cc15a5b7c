"""The demo leaves no process behind, whatever ends it."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.errors import DemoError
from demo.processes import Child, Children, Program

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(grandchild.pid, flush=True)
time.sleep(60)
"""


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or waits only for its parent to take notice."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except FileNotFoundError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def wait_for(path: Path) -> str:
    """The first line of a file that is being written."""
    give_up_at = time.monotonic() + 10
    while time.monotonic() < give_up_at:
        if path.exists() and "\n" in (text := path.read_text(encoding="utf-8")):
            return text.splitlines()[0]
        time.sleep(0.02)
    raise AssertionError(f"nothing was written to {path}")


def wait_until_ended(pid: int, wait_s: float) -> bool:
    give_up_at = time.monotonic() + wait_s
    while not has_ended(pid) and time.monotonic() < give_up_at:
        time.sleep(0.02)
    return has_ended(pid)


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Children]:
    children = Children(tmp_path)
    yield children
    children.stop()


def start(children: Children, code: str, folder: Path, name: str = "child") -> Child:
    environ = dict(os.environ)
    return children.start(Program(name, [sys.executable, "-c", code], environ, folder, end_wait_s=0.3))


def test_stop_kills_a_child_that_ignores_sigterm_and_its_own_children(children: Children, tmp_path: Path) -> None:
    child = start(children, STUBBORN, tmp_path)
    grandchild = int(wait_for(child.log))
    children.stop()
    assert child.process.returncode == -signal.SIGKILL
    assert wait_until_ended(grandchild, 2)


def test_stop_is_orderly_and_ends_the_last_started_first(children: Children, tmp_path: Path) -> None:
    code = """
        import pathlib, signal, sys, time
        def end(*_):
            with open("order", "a") as file:
                file.write("{name} ")
            sys.exit(0)
        signal.signal(signal.SIGTERM, end)
        print("up", flush=True)
        time.sleep(60)
    """
    for name in ("first", "second"):
        wait_for(start(children, textwrap.dedent(code.replace("{name}", name)), tmp_path, name).log)
    children.stop()
    assert (tmp_path / "order").read_text(encoding="ascii") == "second first "


def test_failing_child_is_reported_with_its_words(children: Children, tmp_path: Path) -> None:
    child = start(children, "raise SystemExit('no such model')", tmp_path)
    with pytest.raises(DemoError, match=r"ended with code 1(.|\n)*no such model"):
        children.wait_until(child, lambda: False, 10)


def test_child_that_never_gets_ready_is_given_up(children: Children, tmp_path: Path) -> None:
    child = start(children, "import time; time.sleep(60)", tmp_path)
    with pytest.raises(DemoError, match="not ready after"):
        children.wait_until(child, lambda: False, 0.2)


def test_run_fails_as_its_command_does(children: Children, tmp_path: Path) -> None:
    environ = dict(os.environ)
    children.run(Program("good", [sys.executable, "-c", ""], environ, tmp_path), 10)
    children.check_alive()
    with pytest.raises(DemoError, match="code 3"):
        children.run(Program("bad", [sys.executable, "-c", "raise SystemExit(3)"], environ, tmp_path), 10)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal at a parent's death is Linux's")
def test_killed_demo_takes_its_children_along(tmp_path: Path) -> None:
    parent_code = """
        import os, pathlib, sys, time
        from demo.processes import Children, Program
        folder = pathlib.Path(sys.argv[1])
        argv = [sys.executable, "-c", "import time; time.sleep(60)"]
        child = Children(folder).start(Program("child", argv, dict(os.environ), folder))
        print(child.process.pid, flush=True)
        time.sleep(60)
    """
    log = tmp_path / "parent.log"
    with log.open("wb") as output:
        argv = [sys.executable, "-c", textwrap.dedent(parent_code), str(tmp_path)]
        parent = subprocess.Popen(argv, stdout=output, cwd=Path(__file__).parents[2])
    try:
        child = int(wait_for(log))
        assert not has_ended(child)
    finally:
        parent.kill()
        parent.wait()
    assert wait_until_ended(child, 2)
