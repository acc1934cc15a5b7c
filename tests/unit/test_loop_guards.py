"""The guards that every test has (`tests.loop_guards`), seen from a run of pytest that breaks their rules."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from blockbuster import BlockingError

from inference_gateway.environment import load_environment

ROOT = Path(__file__).parents[2]


def run_pytest(folder: Path, test: str) -> str:
    """The output of pytest on one file with `test`, under the guards."""
    (folder / "test_it.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-p", "tests.loop_guards", "-p", "no:cacheprovider", "-p", "no:django"]
    command += [
        "-o",
        "asyncio_mode=auto",
        "-o",
        "asyncio_default_fixture_loop_scope=function",
        f"--rootdir={folder}",
        f"--confcutdir={folder}",
        str(folder),
    ]
    run = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    return run.stdout


async def test_no_blocking_calls_a_file_read_on_the_loop_raises() -> None:
    with pytest.raises(BlockingError):
        load_environment()


async def test_no_blocking_calls_a_thread_may_read_files() -> None:
    assert await asyncio.to_thread(load_environment)


def test_no_leaked_tasks_a_task_left_running_fails_the_test(tmp_path: Path) -> None:
    output = run_pytest(
        tmp_path,
        "import asyncio\n"
        "async def test_leaks():\n"
        "    test_leaks.task = asyncio.create_task(asyncio.sleep(60), name='forgotten')\n"
        "async def test_does_not():\n"
        "    await asyncio.create_task(asyncio.sleep(0))\n",
    )
    assert "the test left 1 running task" in output
    assert "forgotten" in output
    assert "2 passed, 1 error" in output
